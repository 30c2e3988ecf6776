"""What is left to do of one plan, and the account of it; an executor does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch

from bitproof.bench.ahead import Times
from bitproof.bench.costs import pictures_of
from bitproof.bench.helping import check_processes
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.plan import Plan
from bitproof.bench.reporter import Reporter
from bitproof.core import BitproofError, SampleRow
from bitproof.results import Store

#: Told of a cell, its rows and where its time went.
Listener = Callable[[Cell, Sequence[SampleRow], Times], None]


class Work:
    """``todo``: the cells of ``plan`` that are not in ``done``, in order; ``times`` and ``failed``: of those that were tried.

    ``listeners`` are told of each cell when its rows are stored.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        done: set[str],
        reporter: Reporter,
        device: torch.device,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.plan, self.store, self.reporter, self.device, self.listeners = plan, store, reporter, device, listeners
        self.todo = [cell for cell in plan.cells if cell.id not in done]
        self._sharing = Counter(map(pictures_of, self.todo))
        self.costs = plan.kind.costs(plan)
        self.evaluator = plan.kind.evaluator(plan, store, self.tell, device)
        self.times: list[tuple[str, Times]] = []
        self.failed = 0

    def needs(self, cell: Cell) -> list[Variant]:
        """The variants that ``cell`` needs, each after the one that teaches it."""
        asked = [cell.variant, *self.plan.needed(cell)]
        return list(dict.fromkeys(each for variant in asked for each in (self.plan.teacher(variant), variant) if each is not None))

    @cached_property
    def missing(self) -> list[Variant]:
        """The variants that the cells left need and that were not made when this was asked first."""
        needed = dict.fromkeys(variant for cell in self.todo for variant in self.needs(cell))
        return [variant for variant in needed if not self.evaluator.made(variant)]

    @property
    def predicted_s(self) -> float:
        """Seconds of the cells left and of the variants that they need first."""
        variants_s = sum(map(self.costs.variant_s, self.missing))
        return sum(map(self.costs.cell_s, self.todo)) + variants_s + self.costs.pictures_s(self.todo)

    def check_processes(self) -> None:
        """Raise SpecError where a training that is due asks for another number of processes than were started."""
        for variant in self.missing:
            if variant.recipe.trains:
                check_processes(self.plan.training_of(variant.recipe).processes)

    def cost_s(self, cell: Cell) -> float:
        """Seconds of ``cell`` and of its share of the pictures."""
        return self.costs.cell_s(cell) + self.costs.pictures_s([cell]) / self._sharing[pictures_of(cell)]

    def tell(self, variant: Variant, share: float, text: str) -> None:
        """Say what becomes of a variant, and count the share of it that is done."""
        self.reporter.say(f"{variant.model}  {variant.recipe}  {text}")
        self.reporter.advance(share * self.costs.variant_s(variant))

    def say(self, cell: Cell) -> None:
        """Say that ``cell`` is being done."""
        self.reporter.say(f"{cell.variant.model}  {cell.variant.recipe}  {cell.what}")

    def finish(self, cell: Cell, rows: Sequence[SampleRow], times: Times) -> None:
        """Store the rows of a cell."""
        self.store.write_cell(cell.id, rows)
        self.store.write_log({"cell": cell.id, "variant": cell.variant.id, "noise": cell.noise, **times.as_dict()})
        self.times.append((cell.noise, times))
        for listener in self.listeners:
            listener(cell, rows, times)

    def fail(self, cell: Cell, error: Exception) -> None:
        """Record why a cell has no rows."""
        self.store.write_failure(cell.id, failure(cell, error))
        self.failed += 1


def failure(cell: Cell, error: Exception) -> dict[str, Any]:
    """What is kept of an error: of which cell it is, and its text."""
    kind = "" if isinstance(error, BitproofError) else f"{type(error).__name__}: "
    variant = cell.variant
    return {
        "task": variant.task,
        "model": variant.names[0],
        "recipe": variant.names[1],
        "noise": cell.noise,
        "defense": cell.defense,
        "seed": variant.seed,
        "error": f"{kind}{error}",
    }
