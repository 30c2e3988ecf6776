"""The network that a cell meets: its variant's, changed by the noise at the site ``model`` where there is one."""

from __future__ import annotations

from functools import lru_cache

import torch

from bitproof.bench.ids import Cell, Variant
from bitproof.bench.pictures import probe
from bitproof.bench.specs import standing
from bitproof.bench.variants import Variants
from bitproof.convert import Rewriter, fused
from bitproof.core import Comparing, Strike
from bitproof.export import Deployment
from bitproof.models import TorchVictim
from bitproof.noises import noise

#: How many changed networks stay in memory; the others are changed again.
KEPT = 16


class Victims:
    """Hands out networks as cells meet them, on ``device``; they are made and changed on the CPU."""

    def __init__(self, variants: Variants, device: torch.device) -> None:
        self.variants, self.device = variants, device
        self._changed = lru_cache(maxsize=KEPT)(self._change)
        self._fused = lru_cache(maxsize=KEPT)(self._fuse)
        self._placed = self._made if device.type == "cpu" else lru_cache(maxsize=KEPT)(self._place)

    def of(self, cell: Cell) -> TorchVictim:
        """Return the network of ``cell``; an attack is one on the changed network. Raises ModelError where it cannot be changed.

        A long attack meets, and is judged by, a float network whose batch norms are folded.
        """
        at = standing(cell.noise)
        long = "tensor" in at and getattr(noise(at["tensor"]), "long", False)
        return self._placed(cell.variant, at.get("model"), long)

    def _place(self, variant: Variant, spec: str | None, long: bool) -> TorchVictim:
        return self._made(variant, spec, long).on(self.device)

    def _made(self, variant: Variant, spec: str | None, long: bool) -> TorchVictim:
        return (self._fused if long else self._plain)(variant, spec)

    def _plain(self, variant: Variant, spec: str | None) -> TorchVictim:
        return self.variants.victim(variant) if spec is None else self._changed(variant, spec)

    def _fuse(self, variant: Variant, spec: str | None) -> TorchVictim:
        given = self._plain(variant, spec)
        if not given.differentiable:
            return given
        return TorchVictim(fused(given.module, probe(self.variants.plan.networks[variant.model].geometry.size)))

    def attack(self, cell: Cell) -> Strike | None:
        """Return what stands at the site ``tensor``, with the other networks that it needs; None where nothing does."""
        spec = standing(cell.noise).get("tensor")
        if spec is None:
            return None
        built = noise(spec)
        if not isinstance(built, Comparing):
            strike: Strike = built
            return strike
        others = self.variants.plan.others(cell)
        return built.given({name: self._placed(other, None, False) for name, other in others.items()}, noise)

    def _change(self, variant: Variant, spec: str) -> TorchVictim:
        given, how = self.variants.victim(variant), noise(spec)
        pictures = probe(self.variants.plan.networks[variant.model].geometry.size)
        finished = not given.differentiable
        if how.needs == "deploy":
            return TorchVictim(how(Deployment(given.module, pictures, finished)), differentiable=False)
        return TorchVictim(how(Rewriter(given.module, pictures, finished)), given.differentiable)
