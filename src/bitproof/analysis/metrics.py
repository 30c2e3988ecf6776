"""The measures that GLUE reports beside accuracy: F1, Matthews' and two correlations, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis.controlled import settled
from bitproof.analysis.intervals import Array, Bootstrap, band
from bitproof.analysis.selection import select

#: What tells a cell from others.
CELL = ("task", "model", "recipe", "noise", "defense", "seed")

#: Sums over samples (…×columns) → the measure of each.
Formula = Callable[[Array], Array]


def metrics(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a line a cell and measure, each with its bootstrap interval over samples (see ``band``).

    Two classes: accuracy, F1 of class 1, Matthews' correlation. More: accuracy. Numbers: the share within half a unit as accuracy,
    Pearson's and Spearman's correlation. All in %, so that a correlation of 0.87 is 87. A measure that is not defined is null.

    F1 = 2·TP/(2·TP + FP + FN); MCC = (TP·TN − FP·FN)/√((TP+FP)(TP+FN)(TN+FP)(TN+FN)); Pearson's r of values and targets;
    Spearman's is that of their ranks, equals sharing the mean one. Source: GLUE (arXiv 1804.07461), table 1.
    Differs from the paper: a correlation is not averaged with another; ranks are not drawn anew in a resample.
    """
    kept = settled(select(rows))
    lines = [line for part in kept.partition_by(CELL, maintain_order=True) for line in _cell(part)]
    found = dict.fromkeys(("value", "low", "high"), pl.Float64())
    schema = pl.Schema({**{key: kept.schema[key] for key in CELL}, "metric": pl.String(), "n": pl.Int64(), **found})
    return pl.DataFrame(lines, schema=schema, orient="row")


def _cell(part: pl.DataFrame) -> Iterator[dict[str, Any]]:
    key = {name: part[name][0] for name in CELL}
    boot = Bootstrap(len(part), *key.values())
    for metric, columns, formula in asked(part):
        value, draws = formula(columns.sum(0)), formula(boot.sums(columns))
        low, high = band(np.array([value]), draws[:, None], np.array([len(part)]), (-100.0, 100.0))
        bounds = (low[0], min(high[0], 100.0)) if np.isfinite(value) else (np.nan, np.nan)
        numbers = {name: _known(number) for name, number in zip(("value", "low", "high"), (value, *bounds), strict=True)}
        yield {**key, "metric": metric, "n": len(part), **numbers}


def _known(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def asked(part: pl.DataFrame) -> Iterator[tuple[str, Array, Formula]]:
    """Yield each measure of one cell's rows, what it is made of, a line a row, and its formula in sums of such lines."""
    right = part["correct"].to_numpy().astype(float)
    yield "accuracy", np.stack([right, np.ones(len(right))], 1), lambda s: 100 * s[..., 0] / s[..., 1]
    if "value" in part.columns and part["value"].null_count() == 0:
        value, target = part["value"], part["target"]
        yield "pearson", moments(value, target), correlation
        yield "spearman", moments(value.rank(), target.rank()), correlation
        return
    label, answer = part["label"].to_numpy(), part["prediction"].to_numpy()
    if {*np.unique(label)} | {*np.unique(answer)} <= {0, 1}:
        hits = [answer * label, (1 - answer) * (1 - label), answer * (1 - label), (1 - answer) * label]
        counts = np.stack(hits, 1).astype(float)
        yield "f1", counts, f1
        yield "matthews", counts, matthews


def f1(counts: Array) -> Array:
    """Return F1 in % of …×(TP, TN, FP, FN)."""
    tp, _, fp, fn = np.moveaxis(counts, -1, 0)
    return _ratio(100 * 2 * tp, 2 * tp + fp + fn)


def matthews(counts: Array) -> Array:
    """Return Matthews' correlation in % of …×(TP, TN, FP, FN); 0 where all answers are the same."""
    tp, tn, fp, fn = np.moveaxis(counts, -1, 0)
    below = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    found: Array = np.where(below > 0, _ratio(100 * (tp * tn - fp * fn), below), 0.0)
    return found


def moments(x: pl.Series, y: pl.Series) -> Array:
    """Return what a correlation is made of, a row a sample: 1, x, y, xy, x², y², of centred numbers."""
    a, b = ((s - s.mean()).to_numpy().astype(float) for s in (x, y))
    return np.stack([np.ones_like(a), a, b, a * b, a * a, b * b], 1)


def correlation(sums: Array) -> Array:
    """Return Pearson's correlation in % of the sums of ``moments``."""
    n, x, y, xy, xx, yy = np.moveaxis(sums, -1, 0)
    return _ratio(100 * (n * xy - x * y), np.sqrt(np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0)))


def _ratio(a: Array, b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)
    return found
