"""Defenses are fitted once, kept on disk as pictures, and loaded from there ever after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from bitproof.analysis import parted
from bitproof.bench.cache import SampleCache
from bitproof.bench.fits import Fit, fitting_samples, tried
from bitproof.bench.ids import Cell
from bitproof.bench.inputs import Pipeline, batch, inputs_of
from bitproof.bench.specs import parts
from bitproof.bench.variants import Variants
from bitproof.bench.worn import Worn
from bitproof.core import Batches, Shield, StoreError
from bitproof.defenses import Patches, controlled, defense, read_picture, write_picture
from bitproof.results import Store

#: How many fitted defenses stay in memory.
KEPT = 8


class Shields:
    """Fits, stores and hands out the defenses of a plan."""

    def __init__(self, variants: Variants, store: Store, device: torch.device) -> None:
        self.variants, self.store, self.device, self.plan = variants, store, device, variants.plan
        self._patches = lru_cache(maxsize=KEPT)(self._open)
        self._failed: dict[str, Exception] = {}

    def made(self, cell: Cell) -> bool:
        """Whether nothing has to be fitted before the cell."""
        fit = self.plan.fit(cell)
        return fit is None or not fit.labels or self.store.has_defense(fit.id)

    def worn(self, cell: Cell) -> Worn | None:
        """Return what stands on the pictures of ``cell``, fitted now if it was not yet; None where nothing does."""
        if cell.defense == "none":
            return None
        spec, control = parted(cell.defense)
        built, fit, run_seed = defense(spec), self.plan.fit(cell), cell.variant.seed
        if built.site == "model" or tried(cell.defense):
            return None  # it is the network that is another one
        shield: Shield = built.fit([], Batches((), (), 0, 0)) if fit is None else self.patches(fit)
        if control and isinstance(shield, Patches):
            shield = controlled(shield, control, run_seed)
        return Worn(f"{cell.defense} {fit.id if fit else built.version}", shield, built.at, built.knows_label, run_seed)

    def patches(self, fit: Fit) -> Patches:
        """Return the patches of ``fit``. One that failed fails again with the same error."""
        if fit.id in self._failed:
            raise self._failed[fit.id]
        try:
            return self._patches(fit)
        except StoreError:
            raise
        except Exception as error:
            self._failed[fit.id] = error
            raise

    def _open(self, fit: Fit) -> Patches:
        if not self.store.has_defense(fit.id):
            self._make(fit)
        info, files = self.store.defense(fit.id)
        read = [read_picture(files[f"{label}.png"], f"{label}.png") for label in info["labels"]]
        return Patches(torch.stack([pattern for pattern, _ in read]), read[0][1], tuple(info["labels"]))

    def _make(self, fit: Fit) -> None:
        start = time.monotonic()
        self.variants.tell(fit.variants[0], 0.0, f"fitting {fit.spec}")
        victims = [self.variants.victim(variant) for variant in fit.variants]
        made: Patches = defense(fit.spec).fit(victims, self.batches(fit))
        files = {f"{label}.png": write_picture(made.of(label), made.mask) for label in made.labels}
        self.store.write_defense(fit.id, self._info(fit, made, time.monotonic() - start), files)

    def batches(self, fit: Fit) -> Batches:
        """What a defense is fitted on."""
        size = self.plan.networks[fit.model].geometry.size
        step = getattr(defense(fit.spec), "batch", self.plan.grid.batch_size)
        return Batches(tuple(self._pictures(fit, step)), fit.labels, size, int(fit.id, 16))

    def _pictures(self, fit: Fit, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        samples, noises = fitting_samples(self.plan, fit), fit.noises or ("clean",)
        lines = [self._pipeline(fit, noise) for noise in noises]
        for i in range(0, len(samples), step):
            chunk = samples[i : i + step]
            x = torch.cat([batch(lines[(i + j) % len(lines)], [sample]) for j, sample in enumerate(chunk)])
            yield x, torch.tensor([sample.label for sample in chunk])

    def _pipeline(self, fit: Fit, noise: str) -> Pipeline:
        form = self.plan.networks[fit.model].form
        return inputs_of(form).pipeline(self.plan.defending.source(fit.task), form, parts(noise), fit.seed, SampleCache(0))

    def _info(self, fit: Fit, made: Patches, time_s: float) -> dict[str, Any]:
        task = self.plan.tasks[fit.task]
        names = task.data.names
        return {
            "defense": fit.spec,
            "task": fit.task,
            "fitted_on": [{"variant": v.id, "model": v.model, "recipe": str(v.recipe)} for v in fit.variants],
            "pictures": {"n": fit.n, "of": fit.source},
            "size_px": len(made.mask),
            "area": float(made.mask.float().mean()),
            "labels": list(made.labels),
            "names": [names[label] for label in made.labels] if names else [],
            "label": "known: the patch of the right class is put on",
            "seed": fit.seed,
            "time_s": round(time_s, 1),
        }
