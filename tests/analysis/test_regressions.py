"""Differences of two runs whose truth is planted."""

import numpy as np
import polars as pl
import pytest
from analysis_rows import CLEAN, SYSTEM, corruptions, make
from scipy import stats
from statements_rows import planted

from bitproof.analysis import FIGURES, accuracy, regressions
from bitproof.core import StoreError

SHARES = {recipe: {"clean": 0.8, "fog:3": 0.7, "frost:3": 0.7, "cv-area": 0.8} for recipe in ("fp32", "lsq:w4a4")}


def worse(by, recipe="lsq:w4a4", noise="fog:3", n=400):
    """Two runs on the same samples; in the second a recipe loses ``by`` under one noise."""
    before = planted(SHARES, n=n, share=1.0)
    shares = {name: dict(noises) for name, noises in SHARES.items()}
    shares[recipe][noise] -= by
    return before, planted(shares, n=n, share=1.0)


def changed(frame, change="regressed"):
    return set(frame.filter(change=change).select("recipe", "figure").rows())


def test_equal_runs_have_no_regression():
    before, after = worse(0)
    for cells in (False, True):
        frame, notes = regressions(before, after, cells=cells)
        assert set(frame["change"]) == {"undecided"} and notes == []
        assert frame["delta"].abs().max() == 0


def test_what_became_worse_is_found_and_nothing_else():
    before, after = worse(0.1)
    frame, _ = regressions(before, after, cells=True)
    assert changed(frame) == {("lsq:w4a4", "fog:3")} and changed(frame, "improved") == set()
    frame, _ = regressions(before, after)
    assert ("lsq:w4a4", "nr") in changed(frame) and "fp32" not in {recipe for recipe, _ in changed(frame)}
    back, _ = regressions(after, before, cells=True)
    assert changed(back) == set() and changed(back, "improved") == {("lsq:w4a4", "fog:3")}


def test_lower_is_better_for_some_figures():
    rows = make({**CLEAN, **corruptions()}, n=300)
    flipped = rows.with_columns(
        prediction=pl.when(pl.col("family") == "natural").then((pl.col("prediction") + 1) % 10).otherwise("prediction")
    )
    frame, _ = regressions(rows, flipped)
    assert FIGURES["churn_natural"].better == "lower"
    assert {figure for _, figure in changed(frame)} == {"churn_natural"}


@pytest.mark.parametrize("cells", [True, False])
def test_a_tolerance_is_allowed_to_be_lost(cells):
    before, after = worse(0.2)
    assert changed(regressions(before, after, cells=cells, tolerance=3)[0])
    assert not changed(regressions(before, after, cells=cells, tolerance=30)[0])


def test_a_loss_at_the_tolerance_is_called_a_regression_as_rarely_as_is_said():
    rng = np.random.default_rng(0)
    wrong = 0
    for draw in range(30):
        before = planted({"fp32": {"clean": 0.8}}, n=300, draw=draw)
        lost = pl.Series(rng.random(300) < 0.05 / 0.8) & before["correct"]
        after = before.with_columns(correct=before["correct"] & ~lost)
        wrong += bool(changed(regressions(before, after, cells=True, tolerance=5)[0]))
    assert wrong <= 4


def test_cells_get_the_exact_test_of_their_pairs():
    before, after = worse(0.03, n=200)
    line = regressions(before, after, cells=True)[0].row(
        by_predicate=(pl.col("recipe") == "lsq:w4a4") & (pl.col("figure") == "fog:3"), named=True
    )
    pair = [
        frame.filter((pl.col("recipe") == "lsq:w4a4") & (pl.col("noise") == "fog:3"))["correct"].to_numpy()
        for frame in (before, after)
    ]
    lost, gained = (pair[0] & ~pair[1]).sum(), (pair[1] & ~pair[0]).sum()
    exact = stats.binomtest(int(lost), int(lost + gained), alternative="greater").pvalue
    assert line["p_worse"] == pytest.approx(min(1, 8 * exact)) and line["pairs"] == 200


def test_different_samples_are_compared_unpaired():
    before, after = worse(0.3)
    after = after.with_columns(sample=pl.col("sample") + "x")
    frame, _ = regressions(before, after, cells=True)
    assert changed(frame) == {("lsq:w4a4", "fog:3")} and set(frame["pairs"]) == {0}
    line = frame.row(by_predicate=(pl.col("recipe") == "fp32") & (pl.col("figure") == "clean"), named=True)
    figures = accuracy(before).row(by_predicate=(pl.col("recipe") == "fp32") & (pl.col("noise") == "clean"), named=True)
    width = np.hypot(figures["value"] - figures["low"], figures["high"] - figures["value"])
    assert line["delta_high"] == pytest.approx(width) and line["delta_low"] == pytest.approx(-width)


def test_the_chance_of_a_wrong_regression_is_bounded():
    wrong = 0
    for draw in range(20):
        before, after = (planted(SHARES, n=120, draw=2 * draw + side) for side in (0, 1))
        wrong += bool(changed(regressions(before, after, cells=True)[0]))
    assert wrong <= 3


def test_one_model_may_be_called_otherwise_and_is_then_told():
    before, after = worse(0.1)
    frame, notes = regressions(before, after.with_columns(model=pl.lit("n"), task=pl.lit("parquet:y")), cells=True)
    assert changed(frame) and len(notes) == 2 and set(frame["model"]) == {"m"}


def test_what_only_one_run_has_is_said():
    before, after = worse(0)
    _, notes = regressions(before, after.filter(pl.col("noise") != "cv-area"))
    assert notes == ["2 cells of before are not in after and were not compared, the first: m fp32 cv-area"]
    with pytest.raises(StoreError, match="nothing in common"):
        regressions(before, after.with_columns(recipe=pl.lit("mse:") + pl.col("recipe").str.replace(".*:", "")))


def test_several_seeds_are_pooled_by_sample():
    rows = make({**CLEAN, **SYSTEM}, n=120, seeds=(0, 1))
    frame, _ = regressions(rows, rows, cells=True)
    assert set(frame["pairs"]) == {120} and set(frame["change"]) == {"undecided"}
