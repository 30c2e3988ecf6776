"""Runs what a grid asks for, cell after cell; what is done stays done, whatever ends the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from bitproof.bench.ahead import Times
from bitproof.bench.costs import pictures_of
from bitproof.bench.device import device_named
from bitproof.bench.environment import environment
from bitproof.bench.grid import parse_grids, read_grid
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.memory import Heap, keep_freed_memory
from bitproof.bench.plan import Plan
from bitproof.bench.reporter import Reporter, Silent
from bitproof.core import BitproofError, StoreError
from bitproof.models import Network
from bitproof.results import Store


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: cells in the grid, cells that were done before, those that failed now; seconds of each done now."""

    cells: int
    already: int
    failed: int
    times: tuple[tuple[str, Times], ...] = ()


def run(
    grid: str | Path | Mapping[str, Any],
    out: str | Path,
    reporter: Reporter | None = None,
    models: Mapping[str, Network] | None = None,
    device: str = "auto",
) -> Outcome:
    """Run a grid (a file, the text of one, or a mapping) into the directory ``out``, and finish what an earlier run left.

    ``models`` are networks of your own (``bitproof.wrap``), by the names that the grid calls them.
    ``device`` is where cells are computed, a name of torch's (``cpu``, ``cuda:1``), ``auto`` for a GPU where there is one; sessions
    stay on the CPU. It is in no id: a finished cell stays finished wherever it was computed.

    Raises SpecError for a grid that makes no sense, DataError and ModelError for what it names, StoreError where ``out``
    cannot be written. A cell that fails is recorded with its error and the others go on.
    """
    keep_freed_memory()
    where = device_named(device)
    text, source = _read(grid)
    own = models or {}
    plans = [Plan(part, own) for part in parse_grids(text, source, own)]
    store = Store.create(Path(out))
    with store.lock():
        store.write_grid(text)
        store.write_environment(environment(plans, where))
        return _run(plans, store, reporter or Silent(), where)


def _read(grid: str | Path | Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(grid, Mapping):
        return yaml.safe_dump(dict(grid), allow_unicode=True, sort_keys=False), "grid"
    if isinstance(grid, str) and "\n" in grid:
        return grid, "grid"
    return read_grid(Path(grid)), str(grid)


def _run(plans: list[Plan], store: Store, reporter: Reporter, device: torch.device) -> Outcome:
    done = store.done()
    _forget_failures(plans, store)
    jobs = [_Job(plan, store, done, reporter, device) for plan in plans]
    reporter.begin(sum(job.predicted_s for job in jobs))
    failed = sum(job.run() for job in jobs)
    cells = [cell for plan in plans for cell in plan.cells]
    times = tuple(entry for job in jobs for entry in job.times)
    return Outcome(len(cells), sum(cell.id in done for cell in cells), failed, times)


def rerun(plan: Plan, cells: Sequence[Cell], store: Store, reporter: Reporter) -> None:
    """Compute some of a plan's cells, whatever was done before, into ``store``; a cell that fails is recorded there."""
    job = _Job(plan, store, {cell.id for cell in plan.cells} - {cell.id for cell in cells}, reporter, device_named("auto"))
    reporter.begin(job.predicted_s)
    job.run(gallery=False)


class _Job:
    """What is left to do of one plan."""

    def __init__(self, plan: Plan, store: Store, done: set[str], reporter: Reporter, device: torch.device) -> None:
        self.plan, self.store, self.reporter = plan, store, reporter
        self.todo = [cell for cell in plan.cells if cell.id not in done]
        self.sharing = Counter(map(pictures_of, self.todo))
        self.costs = plan.kind.costs(plan)
        self.evaluator = plan.kind.evaluator(plan, store, self._tell, device)
        self.times: list[tuple[str, Times]] = []

    @property
    def predicted_s(self) -> float:
        """Seconds of the cells left and of the variants that they need first."""
        needed = {variant for cell in self.todo for variant in (cell.variant, *self.plan.others(cell).values())}
        needed |= {taught for variant in needed if (taught := self.plan.teacher(variant)) is not None}
        missing = [variant for variant in needed if not self.evaluator.made(variant)]
        return sum(map(self.costs.cell_s, self.todo)) + sum(map(self.costs.variant_s, missing)) + self.costs.pictures_s(self.todo)

    def run(self, *, gallery: bool = True) -> int:
        """Run the cells, return how many failed; then write what the gallery lacks."""
        failed, heap = 0, Heap()
        with self.evaluator:
            for cell, then in zip(self.todo, [*self.todo[1:], None], strict=False):
                failed += not self._cell(cell, then)
                heap.settle()
            if gallery:
                self.evaluator.finish()
        return failed

    def _cell(self, cell: Cell, then: Cell | None) -> bool:
        cost = self.costs.cell_s(cell) + self.costs.pictures_s([cell]) / self.sharing[pictures_of(cell)]
        each = cost / max(1, len(self.plan.samples(cell)))
        times = Times()
        try:
            self.reporter.say(f"{cell.variant.model}  {cell.variant.recipe}  {cell.noise}")
            rows = self.evaluator.rows(cell, then, times, lambda n: self.reporter.advance(n * each))
        except StoreError:
            raise
        except Exception as error:  # whatever somebody's network raises, the other cells go on
            self.store.write_failure(cell.id, _failure(cell, error))
            return False
        self.store.write_cell(cell.id, rows)
        self.store.write_log({"cell": cell.id, "variant": cell.variant.id, "noise": cell.noise, **times.as_dict()})
        self.times.append((cell.noise, times))
        return True

    def _tell(self, variant: Variant, share: float, text: str) -> None:
        """Say what becomes of a variant, and count the share of it that is done."""
        self.reporter.say(f"{variant.model}  {variant.recipe}  {text}")
        self.reporter.advance(share * self.costs.variant_s(variant))


def _forget_failures(plans: list[Plan], store: Store) -> None:
    """Drop failures that this run asks for again: they are tried anew, perhaps on mended data and so under another id."""
    asked = {_request(_failure(cell, Exception())) for plan in plans for cell in plan.cells}
    for failure in store.failures():
        if _request(failure) in asked:
            store.forget_failure(failure["cell"])


def _request(failure: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(failure[key] for key in ("task", "model", "recipe", "noise", "seed"))


def _failure(cell: Cell, error: Exception) -> dict[str, Any]:
    kind = "" if isinstance(error, BitproofError) else f"{type(error).__name__}: "
    variant = cell.variant
    return {
        "task": variant.task,
        "model": variant.model,
        "recipe": str(variant.recipe),
        "noise": cell.noise,
        "seed": variant.seed,
        "error": f"{kind}{error}",
    }
