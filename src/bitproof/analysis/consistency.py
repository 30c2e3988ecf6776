"""Whether rows can be what a run leaves: in themselves, and beside rows of the same cell that were computed again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from bitproof.analysis.intervals import wilson

#: Nats. Floating point may move a clean prediction only where the margin is smaller.
MARGIN = 1e-3

#: What a margin of a number may differ by.
_ROUNDING = 1e-9

#: Rows of tasks whose answer is a number: right within half a unit, wherever rounding puts it.
_NUMBER = pl.col("target").is_not_null()

#: What all rows of a cell share.
_SHARED = ("variant", "task", "model", "recipe", "noise", "name", "family", "severity", "gradient", "defense", "seed")


def contradictions(rows: pl.DataFrame) -> list[str]:
    """Return what no run could have written in ``rows`` (columns of ``core.SampleRow``), a sentence a kind."""
    faults = {
        "say 'correct' where prediction and label differ, or the other way round": _NUMBER.not_()
        & (pl.col("correct") != (pl.col("prediction") == pl.col("label"))),
        "have a margin that is not ½ − |value − target|": _NUMBER
        & ((pl.col("margin") - 0.5 + (pl.col("value") - pl.col("target")).abs()).abs() > _ROUNDING),
        "have a margin whose sign contradicts 'correct'": ~pl.col("margin").is_nan()
        & (pl.col("margin") != 0)
        & ((pl.col("margin") > 0) != pl.col("correct")),
        "have a confidence outside 0 to 1": ~pl.col("confidence").is_nan() & ~pl.col("confidence").is_between(0, 1),
        "have a loss below 0": pl.col("loss") < 0,
        "are named otherwise than their noise": pl.col("name") != pl.col("noise").str.extract(r"^([^:+]+)"),
    }
    said = []
    for what, fault in faults.items():
        wrong = rows.filter(fault)
        if wrong.height:
            said.append(f"{wrong.height} rows {what}, the first: cell {wrong['cell'][0]} sample {wrong['sample'][0]}")
    return [*said, *_across(rows)]


def _across(rows: pl.DataFrame) -> Iterator[str]:
    """What must agree between rows."""
    mixed = rows.group_by("cell").agg(pl.col(_SHARED).n_unique()).filter(pl.any_horizontal(pl.col(_SHARED) > 1))
    if mixed.height:
        yield f"{mixed.height} cells mix rows of different noises or networks, the first: {mixed['cell'].sort()[0]}"
    twice = rows.filter(pl.struct("cell", "sample", "trial").is_duplicated())
    if twice.height:
        yield f"{twice.height} rows repeat a sample of their cell, the first: cell {twice['cell'][0]} sample {twice['sample'][0]}"
    labels = rows.group_by("task", "sample", "trial").agg(pl.col("label").n_unique()).filter(pl.col("label") > 1)
    if labels.height:
        yield f"{labels.height} samples have several labels, the first: {labels['sample'].sort()[0]}"


def agreement(told: pl.DataFrame, again: pl.DataFrame) -> tuple[list[str], str]:
    """Compare the rows of one cell with those computed again: what disagrees beyond the tolerance, and a sentence on the rest.

    Clean and noisy predictions may differ only where the margin is below ``MARGIN`` in one of the two, and nowhere where a network
    tells labels alone. The accuracy under an attack, whose steps amplify rounding, must lie within its own 95 % interval.
    """
    told, again = (rows.with_columns(pl.col("trial").fill_null(0)) for rows in (told, again))
    both = told.join(again, on=["sample", "trial"], how="inner", suffix="_again")
    if both.height < told.height or told.height < again.height:
        return [f"{told.height} rows were submitted, {again.height} computed, {both.height} samples are in both"], ""
    same = both.filter((pl.col("prediction") == pl.col("prediction_again")) & (pl.col("margin") == pl.col("margin_again"))).height
    largest = float((both["margin"] - both["margin_again"]).abs().drop_nans().max() or 0.0)  # type: ignore[arg-type]
    rest = f"{same} of {both.height} rows equal to the last bit, margins within {largest:.2g}"
    if told["success"].is_not_null().any():
        return _attacked(told, again), rest
    answer, answer_again = (
        pl.when(_NUMBER).then(pl.col(f"correct{end}").cast(pl.Int64)).otherwise(f"prediction{end}") for end in ("", "_again")
    )
    moved = both.filter(answer != answer_again)
    wrong = moved.filter(pl.min_horizontal(pl.col("margin").abs(), pl.col("margin_again").abs()) >= MARGIN)
    if wrong.is_empty():
        return [], rest
    return [f"{wrong.height} of {both.height} predictions differ beyond rounding, the first: sample {wrong['sample'][0]}"], rest


def _attacked(told: pl.DataFrame, again: pl.DataFrame) -> list[str]:
    hits, n = int(told["correct"].sum()), told.height
    low, high = (float(bound) for bound in wilson(np.array(hits), np.array(n)))
    found = 100 * int(again["correct"].sum()) / n
    if low <= found <= high:
        return []
    return [f"accuracy under attack was {100 * hits / n:.2f} [{low:.1f}, {high:.1f}] and is {found:.2f} computed again"]
