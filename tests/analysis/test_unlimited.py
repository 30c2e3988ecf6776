"""A minimum-norm attack without a budget fools nearly everything, and so says nothing about the worst case in a ball."""

import polars as pl
from analysis_rows import ATTACKS, make

import bitproof as bp


def test_they_are_left_out_of_the_worst_case():
    far = {"fmn-l2": ("fmn-l2", "adversarial", None, 9.0)}
    rows = make({"clean": ("clean", "clean", None, 0.0), **ATTACKS, **far})
    beside, alone = (bp.analysis.summary(some) for some in (rows, rows.filter(pl.col("noise") != "fmn-l2")))
    worst = [frame.filter(figure="robust_worst").sort("recipe")["value"].to_list() for frame in (alone, beside)]
    assert worst[0] == worst[1] and worst[0]
    assert (beside.filter(figure="robust:fmn-l2")["value"] < min(worst[0])).all()
