"""One line a task, model, recipe, defense and figure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import polars as pl

from bitproof.analysis import adversarial, calibration, churn, clean, corruption, distances, joined, sequences, system
from bitproof.analysis.audit import Ball, Finding, audited
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Tally, difference, level
from bitproof.analysis.measures import Figure, Measure
from bitproof.results import is_imagenet

#: How each figure is read. A figure with an item after a colon (``ar:pgd-linf:eps=8/255``) is described by the name before it.
FIGURES: dict[str, Figure] = {
    **clean.FIGURES,
    **corruption.FIGURES,
    **sequences.FIGURES,
    **system.FIGURES,
    **adversarial.FIGURES,
    **distances.FIGURES,
    **churn.FIGURES,
    **joined.FIGURES,
    **calibration.FIGURES,
}

COLUMNS = pl.Schema(
    {name: pl.String() for name in ("task", "model", "recipe", "defense", "figure")}
    | {name: pl.Float64() for name in ("value", "low", "high")}
    | {"n": pl.Int64(), "control": pl.String(), "pairs": pl.Int64()}
    | {name: pl.Float64() for name in ("delta", "delta_low", "delta_high")}
    | {"verdict": pl.String(), "note": pl.String()}
)


def summary(rows: pl.DataFrame, *, imagenet: Collection[str] | None = None, against: str | None = None) -> pl.DataFrame:
    """Return the figures of ``FIGURES`` for every recipe of ``rows`` (columns of ``core.SampleRow``), with ``COLUMNS``.

    ``value`` [``low``, ``high``] with 95 % interval, from ``n`` samples; ``delta``: the difference to the recipe ``control`` on the
    ``pairs`` samples in common, over the cells in common, null on the control's own lines; ``against``: a recipe in its place. A
    figure that cannot be given has null and a ``note`` that says why. ``verdict``: ``audit``'s, for figures under attack.
    What stands behind a defense that knows the label is told by ``defended`` alone, with its controls.
    ``imagenet``: the tasks that are 1000-class ImageNet, where mCE is defined; by default those whose data source
    is called ``imagenet``.
    """
    lines: list[dict[str, Any]] = []
    for block, told in audited(rows):
        known = is_imagenet(block.task) if imagenet is None else block.task in imagenet
        for recipe, cells in block.recipes.items():
            lines += (
                _line(block, recipe, measure, block.rival(against)) for measure in measures_of(block, cells, known, told[recipe])
            )
    return pl.DataFrame(lines, schema=COLUMNS).with_columns(pl.col(pl.Float64).fill_nan(None))


def measures_of(block: Block, cells: Cells, imagenet: bool, told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    """Yield every figure of one recipe."""
    return chain(
        clean.measures(block, cells),
        corruption.measures(block, cells, imagenet),
        sequences.measures(block, cells),
        system.measures(block, cells),
        adversarial.measures(block, cells, told),
        distances.measures(block, cells, told),
        churn.measures(block, cells),
        joined.measures(block, cells, told),
        calibration.measures(block, cells),
    )


def _line(block: Block, recipe: str, measure: Measure, rival: str | None) -> dict[str, Any]:
    head = {"task": block.task, "model": block.model, "recipe": recipe, "defense": block.defense, "control": rival}
    line = head | {"figure": measure.figure, "n": 0, "verdict": measure.verdict, "note": measure.note}
    if measure.tally is None:
        return line
    cells = block.recipes[recipe]
    ours = measure.tally(cells)
    if not _usable(ours, measure):
        return line | {"note": "; ".join(filter(None, ["no sample", measure.note]))}
    own = level(ours.columns(ours.filled), measure.reduction, block.bootstrap)
    line |= {name: value.item() for name, value in own._asdict().items()} | {"note": _runs(measure.note, ours, block)}
    if measure.paired and rival and rival != recipe:
        line |= delta_of(block, measure, ours, measure.tally(block.recipes[rival]))
    return line


def delta_of(block: Block, measure: Measure, ours: Tally, theirs: Tally) -> dict[str, Any]:
    """Return the difference of two tallies of ``measure`` as columns; none where they have no row in common."""
    ours = ours.only(theirs.seen)
    if not _usable(ours, measure):
        return {}
    filled = ours.filled
    delta = difference(ours.columns(filled), theirs.columns(filled), measure.reduction, block.bootstrap)
    return dict(zip(("delta", "delta_low", "delta_high", "pairs"), (value.item() for value in delta), strict=True))


def _usable(tally: Tally, measure: Measure) -> bool:
    return bool(tally.filled.all() if measure.reduction.whole else tally.filled.any())


def _runs(note: str, tally: Tally, block: Block) -> str:
    count = int(tally.seen.any(axis=(0, 1)).sum())
    return (
        "; ".join(filter(None, [note, f"{count} {'seeds' if block.trials == 1 else 'askings'}, pooled by sample"]))
        if count > 1
        else note
    )
