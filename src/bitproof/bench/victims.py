"""The network that a cell meets: its variant's, changed by the noise at the site ``model`` where there is one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch

from bitproof.bench.fits import Fit, at_model, tried
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.inputs import inputs_of, probe_of
from bitproof.bench.labelfree import Tried
from bitproof.bench.shields import Shields
from bitproof.bench.specs import on_samples, standing
from bitproof.bench.variants import Variants
from bitproof.convert import Rewriter, fused
from bitproof.core import Comparing, Strike, Victim
from bitproof.defenses import defense
from bitproof.export import Deployment
from bitproof.models import TorchVictim
from bitproof.noises import noise

#: How many changed networks stay in memory; the others are changed again.
KEPT = 16


class Victims:
    """Hands out networks as cells meet them, on ``device``; they are made and changed on the CPU."""

    def __init__(self, variants: Variants, shields: Shields, device: torch.device) -> None:
        self.variants, self.shields, self.device = variants, shields, device
        self._defended = lru_cache(maxsize=KEPT)(self._defend)
        self._changed = lru_cache(maxsize=KEPT)(self._change)
        self._fused = lru_cache(maxsize=KEPT)(self._fuse)
        self._placed = self._made if device.type == "cpu" else lru_cache(maxsize=KEPT)(self._place)

    def of(self, cell: Cell) -> TorchVictim:
        """Return the network of ``cell``; an attack is one on the changed network. Raises ModelError where it cannot be changed.

        A long attack meets, and is judged by, a float network whose batch norms are folded.
        """
        at = standing(cell.noise)
        long = "tensor" in at and getattr(noise(at["tensor"]), "long", False)
        fit = self.variants.plan.fit(cell) if at_model(cell.defense) else None
        return self._before(self._trying(self._placed(cell.variant, fit, at.get("model"), long), cell), cell)

    def _trying(self, victim: TorchVictim, cell: Cell) -> TorchVictim:
        """The network as one that tries all patches, where its defense does that."""
        fit = self.variants.plan.fit(cell)
        return (
            TorchVictim(Tried(victim.module, self.shields.patches(fit)), victim.differentiable)
            if fit and tried(cell.defense)
            else victim
        )

    def _before(self, victim: TorchVictim, cell: Cell) -> TorchVictim:
        """What the cell's attack moves the input of; without an attack the network itself."""
        form = self.variants.plan.networks[cell.variant.model].form
        return inputs_of(form).before(victim, form, on_samples(cell.noise)) if "tensor" in standing(cell.noise) else victim

    def _place(self, variant: Variant, fit: Fit | None, spec: str | None, long: bool) -> TorchVictim:
        return self._made(variant, fit, spec, long).on(self.device)

    def _made(self, variant: Variant, fit: Fit | None, spec: str | None, long: bool) -> TorchVictim:
        return (self._fused if long else self._plain)(variant, fit, spec)

    def _plain(self, variant: Variant, fit: Fit | None, spec: str | None) -> TorchVictim:
        return self._base(variant, fit) if spec is None else self._changed(variant, fit, spec)

    def _base(self, variant: Variant, fit: Fit | None) -> TorchVictim:
        return self.variants.victim(variant) if fit is None else self._defended(variant, fit)

    def _defend(self, variant: Variant, fit: Fit) -> TorchVictim:
        """The variant as its defense changes it."""
        given = self.variants.victim(variant)
        change = defense(fit.spec).fit([], self.shields.batches(fit))
        return TorchVictim(change(self._rewriter(given, variant)), given.differentiable)

    def _rewriter(self, given: TorchVictim, variant: Variant) -> Rewriter:
        pictures = probe_of(self.variants.plan.networks[variant.model])
        return Rewriter(given.module, pictures, finished=not given.differentiable)

    def _fuse(self, variant: Variant, fit: Fit | None, spec: str | None) -> TorchVictim:
        given = self._plain(variant, fit, spec)
        if not given.differentiable or self.variants.plan.networks[variant.model].finished:
            return given
        return TorchVictim(fused(given.module, probe_of(self.variants.plan.networks[variant.model])))

    def attack(self, cell: Cell, behind: Callable[[Victim], Victim] = lambda victim: victim) -> Strike | None:
        """Return what stands at the site ``tensor``, with the other networks that it needs; None where nothing does.

        ``behind`` puts each of these behind what the attacked one is behind.
        """
        spec = standing(cell.noise).get("tensor")
        if spec is None:
            return None
        built = noise(spec)
        if not isinstance(built, Comparing):
            strike: Strike = built
            return strike
        others = self.variants.plan.others(cell)
        victims = {name: behind(self._before(self._placed(other, None, None, False), cell)) for name, other in others.items()}
        return built.given(victims, noise)

    def _change(self, variant: Variant, fit: Fit | None, spec: str) -> TorchVictim:
        given, how = self._base(variant, fit), noise(spec)
        rewriter = self._rewriter(given, variant)
        if how.needs == "deploy":
            return TorchVictim(how(Deployment(given.module, rewriter.probe, rewriter.finished)), differentiable=False)
        return TorchVictim(how(rewriter), given.differentiable)
