"""The defenses of a plan: which cells meet them, what is fitted for that, and on what."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from bitproof.analysis import needed, parted
from bitproof.bench.fits import Fit, fit_of, knows_label, pictures_of, with_control
from bitproof.bench.ids import Variant
from bitproof.bench.specs import family_of, is_attacked
from bitproof.core import SpecError
from bitproof.defenses import defense
from bitproof.noises import expand
from bitproof.tasks import Task

if TYPE_CHECKING:
    from bitproof.bench.plan import Plan


#: The family of the frames of perturbation sequences.
FRAMES = "perturbation"


class Defending:
    """What a plan asks about defenses."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        #: The defenses of the grid, ``none`` first: a gain is a gain over it.
        self.names = ("none", *(text for text in plan.grid.defenses if text != "none"))
        self._fits: dict[tuple[str, Variant], Fit | None] = {}

    def check(self) -> None:
        """Raise SpecError for tasks whose samples no defense stands on."""
        if len(self.names) > 1 and any(task.kind != "image" for task in self.plan.tasks.values()):
            raise SpecError(f"The defense {self.names[1]!r} stands on pictures that networks classify. Type defenses: [none].")

    @cached_property
    def _given(self) -> Task | None:
        """The data that is fitted on, None where each task gives up some of its own."""
        spec = self.plan.grid.train or self.plan.grid.calibration.data
        return self.plan.like_tasks(spec) if spec else None

    def source(self, task: str) -> Task:
        """The data that the defenses of ``task`` are fitted on: the training data, else that of calibration, else its own end."""
        return self._given or self.plan.tasks[task]

    def held_out(self, task: str) -> int:
        """How many samples of ``task`` are fitted on and therefore never evaluated."""
        own = len(self.names) > 1 and self.source(task).data.digest == self.plan.tasks[task].data.digest
        return max(map(pictures_of, self.names)) if own else 0

    def labels(self, task: str, seed: int) -> tuple[int, ...]:
        """The classes among the samples of all cells of ``task``: those that a patch is made for."""
        grid = self.plan.grid
        limits = {grid.limit_of(family_of(spec)) for text in grid.noises for spec in [*expand(text), "clean"]}
        most = None if None in limits else max(limit for limit in limits if limit)
        samples = self.plan.tasks[task].data.evaluation(most, seed=seed, exclude=self.plan.held_out(task))
        return tuple(sorted({sample.label for sample in samples}))

    def fit(self, text: str, variant: Variant) -> Fit | None:
        """What has to be fitted for a cell of ``variant`` behind ``text``; None where nothing has."""
        key = (parted(text)[0], variant)
        if key not in self._fits:
            self._fits[key] = None if text == "none" else fit_of(self.plan, text, variant)
        return self._fits[key]

    def met(self, spec: str) -> Iterator[str]:
        """The defenses that a noise meets; each patch with its controls. It meets no perturbation sequence, which has none."""
        family = family_of(spec)
        for text in self.names:
            known = knows_label(text)
            if not (known and family == FRAMES):
                yield text
                if known and family != "evidence":
                    yield from (with_control(text, control) for control in needed(spec, is_attacked(spec)))

    @property
    def left_out(self) -> dict[str, str]:
        """What a patch does not meet of the grid → why."""
        framed = any(cell.family == FRAMES for cell in self.plan.cells)
        why = "Frames have no controls, and without them no number of a patch is told"
        return {f"perturbation sequences behind {text}": why for text in self.names if framed and knows_label(text)}

    def facts(self, text: str, variant: Variant) -> Iterator[str]:
        """What the numbers of a cell depend on beside its defense's spec; nothing where there is none."""
        if text != "none":
            fit = self.fit(text, variant)
            yield f"defense {fit.id if fit else defense(parted(text)[0]).version}"
            if fit and parted(text)[1] == "argmax" and len(fit.labels) < self.plan.networks[variant.model].classes:
                yield "among all classes"  # once it was among those that have patches
