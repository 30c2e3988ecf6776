"""What became worse from one run to another: paired where the same samples met the same noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.audit import Ball, Finding, audited, verdict_on
from bitproof.analysis.blocks import Block, Cells, blocks
from bitproof.analysis.estimates import EACH, Level, Tally, difference, level
from bitproof.analysis.intervals import Z, mcnemar
from bitproof.analysis.measures import Measure
from bitproof.analysis.permutation import holm
from bitproof.analysis.selection import select
from bitproof.analysis.summary import FIGURES, delta_of, measures_of
from bitproof.core import StoreError
from bitproof.results import is_imagenet

REGRESSED, IMPROVED, UNDECIDED = "regressed", "improved", "undecided"

#: How often, at most, any line is called regressed where none is; the same for improved.
LEVEL = 0.05

_BEFORE, _AFTER = "\nbefore", "\nafter"
_PLACE = ("task", "model", "recipe", "defense")

COLUMNS = pl.Schema(
    {name: pl.String() for name in (*_PLACE, "figure", "change")}
    | {name: pl.Float64() for name in ("before", "after", "delta", "delta_low", "delta_high")}
    | {"pairs": pl.Int64(), "p_worse": pl.Float64(), "p_better": pl.Float64(), "verdict": pl.String()}
)

Line = dict[str, Any]


def regressions(
    before: pl.DataFrame, after: pl.DataFrame, *, cells: bool = False, tolerance: float = 0.0
) -> tuple[pl.DataFrame, list[str]]:
    """Compare two runs (columns of ``core.SampleRow``): one line a figure of ``FIGURES``, or a cell where ``cells``; and notes.

    ``delta``: after minus before, in the figure's unit, on the ``pairs`` samples that both have, paired by sample; 0 pairs: both
    stand for themselves. ``change``: regressed where it is worse by more than ``tolerance`` beyond chance, improved where it is
    better by more; ``p_worse`` and ``p_better`` are one-sided and after Holm over all lines, so that the chance of any wrong
    ``regressed`` is at most 5 %. A cell without tolerance gets the exact sign test of its pairs, all else a normal approximation
    from the interval. ``verdict``: the masking audit's of the run after, for figures under attack.
    Raises StoreError where the runs have no recipe in common.
    """
    before, after, notes = _aligned(select(before), select(after))
    told = {(block.task, block.model, block.defense): found for block, found in audited(after)}
    both = pl.concat([rows.with_columns(recipe=pl.col("recipe") + side) for rows, side in ((before, _BEFORE), (after, _AFTER))])
    lines = [
        {"task": block.task, "model": block.model, "recipe": recipe, "defense": block.defense, **line}
        for block in blocks(both)
        for recipe in _recipes(block)
        for line in _lines(block, recipe, told[block.task, block.model, block.defense].get(recipe, {}), cells, tolerance)
    ]
    if not lines:
        raise StoreError(
            f"The two runs have nothing in common to compare: {_names(before)} before, {_names(after)} after. "
            "Tasks, models and recipes are compared by name."
        )
    return _judged(pl.DataFrame(lines, schema=COLUMNS)), [*notes, *_missing(before, after)]


def _aligned(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Give the one task and the one model of both runs one name, where they met the same samples: data may lie elsewhere."""
    notes: list[str] = []
    if set(before["sample"].unique()).isdisjoint(after["sample"].unique()):
        return before, after, notes
    for column in ("task", "model"):
        old, new = (frame[column].unique().to_list() for frame in (before, after))
        if len(old) == len(new) == 1 and old != new:
            after = after.with_columns(pl.lit(old[0]).alias(column))
            notes.append(f"{column} {new[0]} after is compared with {old[0]} before, as each run has one")
    return before, after, notes


def _recipes(block: Block) -> list[str]:
    names = {name.removesuffix(_BEFORE) for name in block.recipes if name.endswith(_BEFORE)}
    return [name for name in sorted(names) if name + _AFTER in block.recipes]


def _lines(block: Block, recipe: str, told: Mapping[Ball, Finding], cells: bool, tolerance: float) -> Iterator[Line]:
    old, new = block.recipes[recipe + _BEFORE], block.recipes[recipe + _AFTER]
    if cells:
        yield from _cells(block, old, new, told, tolerance)
        return
    for measure in measures_of(block, new, is_imagenet(block.task), told):
        if measure.tally is None or not measure.paired:
            continue
        better = FIGURES[measure.figure.partition(":")[0]].better
        line = _figure(block, measure, old, new)
        if line and better != "neither":
            yield line | _chances(line, 1 if better == "higher" else -1, tolerance)


def _figure(block: Block, measure: Measure, old: Cells, new: Cells) -> Line:
    if measure.tally is None:
        return {}
    ours, theirs = measure.tally(new), measure.tally(old)
    filled = ours.filled & theirs.filled
    if not (filled.all() if measure.reduction.whole else filled.any()):
        return {}
    levels = [level(each.columns(filled), measure.reduction, block.bootstrap) for each in (theirs, ours)]
    line = _levels(*levels) | {"figure": measure.figure, "verdict": measure.verdict}
    return line | (delta_of(block, measure, ours, theirs) or _apart(*levels))


def _levels(before: Level, after: Level) -> Line:
    return {"before": before.value.item(), "after": after.value.item()}


def _apart(before: Level, after: Level) -> Line:
    """The difference of two figures of different samples.

    Formula: δ = a − b, from δ − √((a − a_low)² + (b_high − b)²) to δ + √((a_high − a)² + (b − b_low)²).
    Source: Newcombe, Stat. Med. 17 (1998) 873, method 10. Differs from the paper: for any figure with an interval.
    """
    (a, a_low, a_high, _), (b, b_low, b_high, _) = ((part.item() for part in each) for each in (after, before))
    low, high = math.hypot(a - a_low, b_high - b), math.hypot(a_high - a, b - b_low)
    return {"delta": a - b, "delta_low": a - b - low, "delta_high": a - b + high, "pairs": 0}


def _chances(line: Line, sign: int, tolerance: float) -> Line:
    """One-sided p-values of "not worse" and "not better" by more than ``tolerance``, from the interval as a normal one."""
    spread = (line["delta_high"] - line["delta_low"]) / (2 * Z)
    if not spread > 0:
        return {"p_worse": 1.0, "p_better": 1.0}
    return {
        "p_worse": _normal((sign * line["delta"] + tolerance) / spread),
        "p_better": _normal((tolerance - sign * line["delta"]) / spread),
    }


def _normal(z: float) -> float:
    """P(Z ≤ z)."""
    return math.erfc(-z / math.sqrt(2)) / 2


def _cells(block: Block, old: Cells, new: Cells, told: Mapping[Ball, Finding], tolerance: float) -> Iterator[Line]:
    for i, noise in enumerate(block.noises):
        theirs, ours = tallies.hits(old, [i]), tallies.hits(new, [i])
        if not (theirs.seen.any() and ours.seen.any()):
            continue
        levels = [level(each, EACH, block.bootstrap) for each in (theirs, ours)]
        verdict = verdict_on(told, [noise.noise]) if noise.family == "adversarial" else None
        line = _levels(*levels) | {"figure": noise.noise, "verdict": verdict}
        if not (theirs.seen & ours.seen).any():
            line |= _apart(*levels)
            yield line | _chances(line, 1, tolerance)
            continue
        delta = difference(ours, theirs, EACH, block.bootstrap)
        line |= dict(zip(("delta", "delta_low", "delta_high", "pairs"), (part.item() for part in delta), strict=True))
        yield line | (_chances(line, 1, tolerance) if tolerance else _exact(ours, theirs))


def _exact(ours: Tally, theirs: Tally) -> Line:
    """The sign test over samples: with one seed McNemar's."""
    common = ours.seen & theirs.seen
    balance = ours.only(common).by_sample()[0] - theirs.only(common).by_sample()[0]
    gained, lost = int((balance > 0).sum()), int((balance < 0).sum())
    p = float(mcnemar(np.array(gained), np.array(lost))) / 2
    return {"p_worse": p if lost > gained else 1.0, "p_better": p if gained > lost else 1.0}


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(pl.Series(name, holm(frame[name].to_numpy())) for name in ("p_worse", "p_better"))
    worse, better = (pl.col(name) <= LEVEL for name in ("p_worse", "p_better"))
    return frame.with_columns(
        change=pl.when(worse).then(pl.lit(REGRESSED)).when(better).then(pl.lit(IMPROVED)).otherwise(pl.lit(UNDECIDED))
    )


def _missing(before: pl.DataFrame, after: pl.DataFrame) -> Iterator[str]:
    """Say which cells one run has and the other has not; a comparison without them looks complete."""
    key = [*_PLACE, "noise"]
    for here, there, name, other in ((before, after, "before", "after"), (after, before, "after", "before")):
        alone = here.select(key).unique().join(there.select(key).unique(), on=key, how="anti").sort(key)
        if alone.height:
            first = " ".join(alone.row(0)[i] for i in (1, 2, 4))
            yield f"{alone.height} cells of {name} are not in {other} and were not compared, the first: {first}"


def _names(rows: pl.DataFrame) -> str:
    found = rows.select("task", "model", "recipe").unique().sort("task", "model", "recipe").rows()
    return (
        "; ".join(f"{model} {recipe} on {task}" for task, model, recipe in found[:3]) + ("; …" if len(found) > 3 else "")
        or "no row"
    )
