"""Detection among BiBench's learning tasks: the average precision of a detector in the place of accuracy."""

from __future__ import annotations

import numpy as np
import polars as pl

from bitproof.analysis.bibench.places import Gaps, Place
from bitproof.analysis.intervals import RESAMPLES

#: The data set that all detectors count as.
DETECTION = "detection"


def detected(recipe: str, precisions: pl.DataFrame | None) -> list[Place]:
    """Return the detectors that ``recipe`` was made of, each A_bi/A_fp with A the AP of boxes, %; there are no resamples of it.

    ``precisions`` has the columns task, model, recipe, of, n, ap_float and ap.
    """
    if precisions is None:
        return []
    found = precisions.filter(recipe=recipe, of="boxes").unique(["task", "model"], keep="first", maintain_order=True)
    return [_place(row["model"], row["n"], row["ap_float"], row["ap"]) for row in found.iter_rows(named=True)]


def _place(model: str, n: int, full: float | None, low: float | None) -> Place:
    ratio = (low or 0.0) / full if full else np.nan
    return Place(DETECTION, model, "float", n, np.full(1 + RESAMPLES, ratio), Gaps({}), "AP of boxes", sampled=False)
