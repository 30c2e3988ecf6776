"""One line a task, model, recipe, defense and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.audit import UNDECIDED, Ball, Finding, audited, verdict_on
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.calibration import calibration_error
from bitproof.analysis.estimates import EACH, EACH_SIGNED, Level, Tally, difference, level
from bitproof.analysis.intervals import Array, mcnemar

_TEXT = ("task", "model", "recipe", "defense", "noise", "name", "family")
_FIGURES = (
    *("n", "value", "low", "high", "control", "pairs", "delta", "delta_low", "delta_high"),
    *("drop", "drop_low", "drop_high", "excess", "excess_low", "excess_high"),
    *("churn", "churn_low", "churn_high", "churn_control", "ece", "confidence", "loss", "mcnemar_p"),
)
COLUMNS = pl.Schema(
    {name: pl.String() for name in _TEXT}
    | {"severity": pl.Int64(), "gradient": pl.String(), "verdict": pl.String()}
    | {name: pl.Float64() for name in _FIGURES}
    | {"n": pl.Int64(), "pairs": pl.Int64(), "control": pl.String()}
)


def accuracy(rows: pl.DataFrame, *, against: str | None = None) -> pl.DataFrame:
    """Return one line for each cell of ``rows`` (columns of ``core.SampleRow``), with ``COLUMNS``; what is undefined is null.

    ``n`` samples; ``value`` [``low``, ``high``] accuracy, %. Cells behind a defense that knows the label are told by ``defended``.
    ``control``: the recipe compared with (``against``, else ``float``, else ``fp32``); ``pairs``: samples in common with it;
    ``delta``: accuracy minus the control's on those, points; ``mcnemar_p``: exact test of that difference (several seeds: a sign
    test over samples).
    ``drop``: clean minus noisy accuracy on the same samples, points.
    ``excess``: drop minus the control's drop: what low bits lose to this noise beyond what the noise takes from everybody.
    ``churn``: predictions that differ from the same network's clean prediction, %; ``churn_control``: the control's, on the
    same samples.
    ``ece``, ``confidence`` in %, ``loss`` in nats: means over the samples.
    ``verdict``: of the masking audit on an attack.
    On the control's own lines and on clean lines that which compares with itself is null.
    Source: ``ece`` Guo et al., arXiv 1706.04599, eq. 3; ``mcnemar_p`` McNemar (1947); ``excess`` is a difference in differences.
    Differs from the paper: nothing.
    """
    lines = [
        line
        for block, told in audited(rows)
        for recipe in block.recipes
        for line in _lines(block, recipe, told[recipe], block.rival(against))
    ]
    return pl.DataFrame(lines, schema=COLUMNS).with_columns(pl.col(pl.Float64).fill_nan(None))


def _lines(block: Block, recipe: str, told: Mapping[Ball, Finding], rival: str | None) -> list[dict[str, Any]]:
    cells = block.recipes[recipe]
    columns = np.flatnonzero(cells.seen.any(axis=(0, 2))).tolist()
    head = {"task": block.task, "model": block.model, "recipe": recipe, "defense": block.defense, "control": rival}
    figures = _own(block, cells, columns)
    if rival and rival != recipe:
        figures |= _compared(block, cells, block.recipes[rival], columns)
    return [
        head
        | block.noises[column]._asdict()
        | {"gradient": cells.gradient[column], "verdict": _verdict(block, cells, column, told)}
        | {name: values[i].item() for name, values in figures.items()}
        for i, column in enumerate(columns)
    ]


def _verdict(block: Block, cells: Cells, column: int, told: Mapping[Ball, Finding]) -> str | None:
    """The masking audit's word on an attack; an attack on a noisy picture is not audited, so it is undecided."""
    if block.noises[column].family == "adversarial":
        return verdict_on(told, [block.noises[column].noise])
    return UNDECIDED if cells.gradient[column] else None


def _own(block: Block, cells: Cells, columns: list[int]) -> dict[str, Array]:
    share = level(tallies.hits(cells, columns), EACH, block.bootstrap)
    figures = dict(share._asdict())
    figures["ece"] = 100 * calibration_error(tallies.gaps(cells, columns).ratio())
    figures["confidence"] = 100 * tallies.confidences(cells, columns).ratio()
    figures["loss"] = tallies.losses(cells, columns).ratio()
    if block.clean is not None:
        drops = _noisy(block, tallies.drops(cells, columns, block.clean), columns)
        changes = _noisy(block, tallies.changes(cells, columns, block.clean), columns)
        figures |= _named("drop", level(drops, EACH_SIGNED, block.bootstrap))
        figures |= _named("churn", level(changes, EACH, block.bootstrap))
    return figures


def _compared(block: Block, cells: Cells, control: Cells, columns: list[int]) -> dict[str, Array]:
    ours, theirs = tallies.hits(cells, columns), tallies.hits(control, columns)
    delta = difference(ours, theirs, EACH, block.bootstrap)
    figures = _named("delta", delta) | {"pairs": delta.n, "mcnemar_p": _p_values(ours, theirs)}
    if block.clean is not None:
        ours, theirs = (_noisy(block, tallies.drops(each, columns, block.clean), columns) for each in (cells, control))
        figures |= _named("excess", difference(ours, theirs, EACH_SIGNED, block.bootstrap))
        ours, theirs = (_noisy(block, tallies.changes(each, columns, block.clean), columns) for each in (cells, control))
        figures["churn_control"] = 100 * theirs.only(ours.seen).ratio()
    return figures


def _noisy(block: Block, tally: Tally, columns: list[int]) -> Tally:
    """Without the clean cell, which would be compared with itself."""
    return tally.only((np.array(columns) != block.clean)[None, :, None])


def _named(name: str, figure: Level) -> dict[str, Array]:
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _p_values(ours: Tally, theirs: Tally) -> Array:
    common = ours.seen & theirs.seen
    balance = ours.only(common).by_sample()[0] - theirs.only(common).by_sample()[0]
    p = mcnemar((balance > 0).sum(axis=0), (balance < 0).sum(axis=0))
    return np.asarray(np.where(common.any(axis=(0, 2)), p, np.nan))
