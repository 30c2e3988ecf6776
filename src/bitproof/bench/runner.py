"""Runs what a grid asks for, cell after cell; what is done stays done, whatever ends the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from bitproof.bench.ahead import Times
from bitproof.bench.cache import SampleCache
from bitproof.bench.device import device_named
from bitproof.bench.environment import environment
from bitproof.bench.executors import Executor, Local
from bitproof.bench.executors import executor as executor_named
from bitproof.bench.grid import parse_grids, read_grid
from bitproof.bench.helping import announced, helps, leading
from bitproof.bench.ids import Cell
from bitproof.bench.memory import keep_freed_memory
from bitproof.bench.plan import Plan
from bitproof.bench.reporter import Reporter, Silent
from bitproof.bench.trackers import Tracking
from bitproof.bench.uploading import place, placed
from bitproof.bench.variants import Variants
from bitproof.bench.work import Listener, Work, failure
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
    executor: str = "local",
    track: Sequence[str] = (),
) -> Outcome:
    """Run a grid (a file, the text of one, or a mapping) into the directory ``out``, and finish what an earlier run left.

    ``out`` may be a URL (``s3://bucket/run``): then the run works on a copy on this machine and uploads what it finished.

    ``models`` are networks of your own (``bitproof.wrap``), by the names that the grid calls them.
    ``device`` is where cells are computed, a name of torch's (``cpu``, ``cuda:1``), ``auto`` for a GPU where there is one; sessions
    stay on the CPU. It is in no id: a finished cell stays finished wherever it was computed.
    Of the processes of ``accelerate launch`` the first does this, and the others help it to train (``training.processes``); theirs
    is an empty outcome.
    ``executor`` is who computes: ``local``, or ``ray`` (``ray:address=HOST:PORT,gpus=0.5``), whose rows are the same.
    ``track``: where figures are logged as cells are done: ``mlflow``, ``wandb``, ``tensorboard``, with settings as in a spec.

    Raises SpecError for a grid that makes no sense, DataError and ModelError for what it names, StoreError where ``out``
    cannot be written. A cell that fails is recorded with its error and the others go on.
    """
    keep_freed_memory()
    where, who = device_named(device), executor_named(executor)
    text, source = _read(grid)
    own = models or {}
    plans = [Plan(part, own) for part in parse_grids(text, source, own)]
    if helps():
        return _help(plans, Store(place(out)))
    with placed(out) as (folder, uploads):
        store = Store.create(folder)
        tracking = Tracking(track, store, text, [cell for plan in plans for cell in plan.cells])
        with store.lock(), leading(), tracking:
            store.write_grid(text)
            store.write_environment(environment(plans, where))
            return _run(plans, store, reporter or Silent(), where, who, [tracking, *uploads])


def _read(grid: str | Path | Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(grid, Mapping):
        return yaml.safe_dump(dict(grid), allow_unicode=True, sort_keys=False), "grid"
    if isinstance(grid, str) and "\n" in grid:
        return grid, "grid"
    return read_grid(Path(grid)), str(grid)


def _help(plans: list[Plan], store: Store) -> Outcome:
    """Train what the first process announces, together with it."""
    found = {variant.id: (plan, variant) for plan in plans for variant in plan.made}
    for name in announced():
        plan, variant = found[name]
        Variants(plan, store, SampleCache(), lambda *_: None).help(variant)
    return Outcome(0, 0, 0)


def _run(
    plans: list[Plan], store: Store, reporter: Reporter, device: torch.device, who: Executor, listeners: Sequence[Listener]
) -> Outcome:
    done = store.done()
    _forget_failures(plans, store)
    works = [Work(plan, store, done, reporter, device, listeners) for plan in plans]
    for work in works:
        who.check(work)
        work.check_processes()
    reporter.begin(sum(work.predicted_s for work in works))
    with who:
        for work in works:
            who.run(work)
            with work.evaluator:
                work.evaluator.finish()
    cells = [cell for plan in plans for cell in plan.cells]
    times = tuple(entry for work in works for entry in work.times)
    return Outcome(len(cells), sum(cell.id in done for cell in cells), sum(work.failed for work in works), times)


def rerun(plan: Plan, cells: Sequence[Cell], store: Store, reporter: Reporter) -> None:
    """Compute some of a plan's cells, whatever was done before, into ``store``; a cell that fails is recorded there."""
    work = Work(plan, store, {cell.id for cell in plan.cells} - {cell.id for cell in cells}, reporter, device_named("auto"))
    reporter.begin(work.predicted_s)
    Local().run(work)


def _forget_failures(plans: list[Plan], store: Store) -> None:
    """Drop failures that this run asks for again: they are tried anew, perhaps on mended data and so under another id."""
    asked = {_request(failure(cell, Exception())) for plan in plans for cell in plan.cells}
    for earlier in store.failures():
        if _request(earlier) in asked:
            store.forget_failure(earlier["cell"])


def _request(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record.get(key, "none") for key in ("task", "model", "recipe", "noise", "seed", "defense"))
