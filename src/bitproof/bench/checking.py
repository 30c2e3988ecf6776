"""Re-verification of a finished run: its files, its rows, its ids, its figures, and some of its cells computed again."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl

from bitproof import analysis
from bitproof.bench.grid import parse_grids
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.plan import Plan
from bitproof.bench.rejudging import misjudged
from bitproof.bench.reporter import Reporter, Silent
from bitproof.bench.runner import rerun
from bitproof.core import BitproofError, seed
from bitproof.results import Store, imagenet, load, located, replies, variants

OK, FAILED, SKIPPED = "ok", "failed", "skipped"

#: What a variant needs to be taken over instead of made.
_FILES = ("model.safetensors", "row.json", "report.json")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, its ``state`` (ok, failed, skipped), and what was seen."""

    name: str
    state: str
    said: str


def check(path: str | Path, cells: int = 2, draw: int = 0, reporter: Reporter | None = None) -> list[Check]:
    """Verify the results directory or URL ``path``, and compute ``cells`` of its cells again, drawn by the seed ``draw``.

    Trained variants are computed again only where their weights lie in the directory: a training is not repeated. What cannot be
    looked at here, such as data that is not on this machine, is skipped, with the reason.
    """
    path = located(path)
    told = [_files(path)]
    if told[0].state == FAILED:
        return told
    store, rows = Store.open(path), load(path)
    told += [_rows(rows), _figures(path, rows)]
    try:
        plans = [Plan(grid) for text in [store.grid(), *store.grids()] if text for grid in parse_grids(text, str(path))]
    except BitproofError as error:
        said = f"the request cannot be planned here: {error}"
        return [*told, *(Check(name, SKIPPED, said) for name in ("ids", "complete", "samples", "again"))]
    planned = {cell.id: (plan, cell) for plan in plans for cell in plan.cells}
    told += [_ids(planned, rows), _complete(planned, rows, store), _samples(planned, rows), *_replies(path, planned, rows)]
    return [*told, *_again(path, planned, rows, cells, draw, reporter or Silent())]


def _files(path: Path) -> Check:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rows, made = load(path), variants(path)
        except BitproofError as error:
            return Check("files", FAILED, str(error))
    if caught:
        return Check("files", FAILED, "; ".join(str(warning.message) for warning in caught))
    if rows.is_empty():
        return Check("files", FAILED, "there is no row, so there is nothing to verify")
    return Check("files", OK, f"{rows.height} rows of {rows['cell'].n_unique()} cells and {made.height} variants are whole")


def _verdict(name: str, faults: Sequence[str], well: str) -> Check:
    return Check(name, FAILED if faults else OK, "; ".join(faults) or well)


def _rows(rows: pl.DataFrame) -> Check:
    return _verdict("rows", analysis.contradictions(rows), "predictions, margins, labels and names agree with each other")


def _figures(path: Path, rows: pl.DataFrame) -> Check:
    frame = analysis.summary(rows, imagenet=imagenet(path))
    return Check("figures", OK, f"{frame['value'].is_not_null().sum()} figures follow from the rows; nothing else is kept")


def _ids(planned: dict[str, tuple[Plan, Cell]], rows: pl.DataFrame) -> Check:
    """The ids hold versions and digests of code, data and weights: other ids mean that one of them changed."""
    found = set(rows["cell"].unique())
    faults = []
    if strange := sorted(found - planned.keys()):
        recipe, noise = rows.filter(cell=strange[0]).select("recipe", "noise").row(0)
        faults.append(
            f"{len(strange)} of {len(found)} cells are not those that today's code, data and weights make of the grid, the first: "
            f"{strange[0]} ({recipe} {noise})"
        )
    return _verdict("ids", faults, f"all {len(found)} cells are those that the grid asks for today")


def _complete(planned: dict[str, tuple[Plan, Cell]], rows: pl.DataFrame, store: Store) -> Check:
    """What is asked for and left out could be what did not please; failures are told of by the run itself."""
    failed = {failure["cell"] for failure in store.failures()}
    faults = []
    if missing := sorted(planned.keys() - set(rows["cell"].unique()) - failed):
        cell = planned[missing[0]][1]
        faults.append(
            f"{len(missing)} cells that the grid asks for today have no rows, "
            f"the first: {missing[0]} ({cell.variant.recipe} {cell.noise})"
        )
    known = set(variants(store.path)["variant"])
    made = {cell.variant.id for plan, cell in planned.values() if not plan.endpoints} & set(rows["variant"])
    if made - known:
        faults.append(f"{len(made - known)} variants have rows and no record, the first: {min(made - known)}")
    return _verdict(
        "complete", faults, f"nothing of {len(planned)} cells is missing" + (f", {len(failed)} failed" if failed else "")
    )


def _samples(planned: dict[str, tuple[Plan, Cell]], rows: pl.DataFrame) -> Check:
    """Every cell holds the samples that the grid asks for, with the labels of the data."""
    faults, seen = [], 0
    for (name,), part in rows.group_by("cell"):
        if str(name) in planned:
            plan, cell = planned[str(name)]
            wanted = {sample.id: plan.tasks[cell.variant.task].truth(sample) for sample in plan.samples(cell)}
            seen += 1
            if dict(part.select("sample", "label").iter_rows()) != wanted:
                faults.append(f"cell {name} ({cell.variant.recipe} {cell.noise}) holds other samples or labels than the data")
    return _verdict("samples", faults[:3], f"{seen} cells hold the samples and labels of the data")


def _replies(path: Path, planned: dict[str, tuple[Plan, Cell]], rows: pl.DataFrame) -> list[Check]:
    """Where chat models were asked: what they said gives the verdicts that stand there."""
    said = replies(path)
    if said.is_empty() and rows["trial"].null_count() == rows.height:
        return []
    return [_verdict("replies", misjudged(planned, rows, said), f"{said.height} replies are judged as today's rules do")]


def _again(
    path: Path, planned: dict[str, tuple[Plan, Cell]], rows: pl.DataFrame, count: int, draw: int, reporter: Reporter
) -> Iterator[Check]:
    done = sorted(planned.keys() & set(rows["cell"].unique()))
    why = {name: _obstacle(path, *planned[name]) for name in done}
    able = [name for name in done if not why[name]]
    chosen = sorted(Random(seed("check", draw)).sample(able, min(count, len(able))))
    with TemporaryDirectory(prefix="bitproof-check-") as folder:
        store = Store.create(Path(folder) / "again")
        for name in chosen:
            plan, cell = planned[name]
            _take_over(path, store, plan, cell)
            rerun(plan, [cell], store, reporter)
            yield _compared(cell, rows.filter(cell=name), load(store.path).filter(cell=name), store)
    yield from (Check("again", SKIPPED, f"{n} cells {each}") for each, n in Counter(filter(None, why.values())).items())
    if count and not done:
        yield Check("again", SKIPPED, "there is no cell to compute")


def _obstacle(path: Path, plan: Plan, cell: Cell) -> str:
    """Why a cell is not computed again; "" where it can be."""
    if plan.endpoints:
        return "are answers of a chat endpoint, which is not asked again"
    missing = any(
        v.recipe.trains and not all((path / "variants" / v.id / name).is_file() for name in _FILES) for v in _networks(plan, cell)
    )
    return "are of trained variants whose weights are not in the directory" if missing else ""


def _networks(plan: Plan, cell: Cell) -> list[Variant]:
    return [cell.variant, *plan.needed(cell)]


def _take_over(path: Path, store: Store, plan: Plan, cell: Cell) -> None:
    """Trained networks and fitted patches are those that were submitted; all others are made anew."""
    fit, submitted = plan.fit(cell), Store.open(path)
    if fit and submitted.has_defense(fit.id):
        info, files = submitted.defense(fit.id)
        store.write_defense(fit.id, info, files)
    for variant in (each for each in _networks(plan, cell) if each.recipe.trains):
        for name in _FILES:
            shutil.copyfile(path / "variants" / variant.id / name, store.variant_dir(variant.id) / name)


def _compared(cell: Cell, told: pl.DataFrame, again: pl.DataFrame, store: Store) -> Check:
    what = f"{cell.id} ({cell.variant.model} {cell.variant.recipe} {cell.what})"
    if again.is_empty():
        errors = [failure["error"] for failure in store.failures() if failure["cell"] == cell.id]
        return Check("again", FAILED, f"{what}: could not be computed: {'; '.join(errors)}")
    faults, rest = analysis.agreement(told, again)
    return _verdict("again", [f"{what}: {fault}" for fault in faults], f"{what}: {rest}")
