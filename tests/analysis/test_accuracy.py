import numpy as np
import polars as pl
import pytest
from analysis_rows import ATTACKS, CLEAN, SYSTEM, corruptions, make, percent, table
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bitproof.analysis import accuracy
from bitproof.analysis.accuracy import COLUMNS
from bitproof.analysis.intervals import wilson

ALL = CLEAN | corruptions() | SYSTEM | ATTACKS
KEY = ("task", "model", "recipe", "defense", "noise")


def by_hand(rows, recipe, control, noise):
    """Every point figure of one cell, row by row."""
    own, other = table(rows, recipe), table(rows, control)
    here = {(sample, seed): row for (n, sample, seed), row in own.items() if n == noise}
    there = {(sample, seed): row for (n, sample, seed), row in other.items() if n == noise}
    clean = {(sample, seed): row for (n, sample, seed), row in own.items() if n == "clean"}
    clean_there = {(sample, seed): row for (n, sample, seed), row in other.items() if n == "clean"}
    both, noisy = here.keys() & there.keys(), here.keys() & clean.keys()
    four = noisy & there.keys() & clean_there.keys()
    figures = {
        "n": len({sample for sample, _ in here}),
        "value": percent([row["correct"] for row in here.values()]),
        "confidence": percent([row["confidence"] for row in here.values()]),
        "loss": np.mean([row["loss"] for row in here.values()]),
        "pairs": len({sample for sample, _ in both}),
        "delta": percent([here[k]["correct"] - there[k]["correct"] for k in both]),
    }
    if noise != "clean":
        figures["drop"] = percent([clean[k]["correct"] - here[k]["correct"] for k in noisy])
        figures["churn"] = percent([clean[k]["prediction"] != here[k]["prediction"] for k in noisy])
        lost = [clean[k]["correct"] - here[k]["correct"] - clean_there[k]["correct"] + there[k]["correct"] for k in four]
        figures["excess"] = percent(lost)
        figures["churn_control"] = percent([clean_there[k]["prediction"] != there[k]["prediction"] for k in four])
    return figures


@pytest.mark.parametrize(("seeds", "missing"), [((0,), 0.0), ((0,), 0.3), ((0, 1, 2), 0.0), ((0, 7), 0.4)])
def test_every_figure_agrees_with_counting_row_by_row(seeds, missing):
    rows = make(ALL, ("float", "fp32", "lsq:w4a4"), seeds=seeds, missing=missing)
    for line in accuracy(rows).iter_rows(named=True):
        if line["recipe"] != "float":
            expected = by_hand(rows, line["recipe"], "float", line["noise"])
            assert {name: line[name] for name in expected} == pytest.approx(expected), line["noise"]


def test_columns_and_lines():
    frame = accuracy(make(ALL))
    assert frame.schema == COLUMNS and frame.height == 2 * len(ALL)
    assert frame["control"].unique().to_list() == ["fp32"]
    assert frame.filter(family="adversarial")["gradient"].unique().to_list() == ["ste"]


def test_the_control_is_not_compared_with_itself():
    control = accuracy(make(ALL)).filter(recipe="fp32")
    for name in ("delta", "delta_low", "excess", "excess_high", "churn_control", "mcnemar_p", "pairs"):
        assert control[name].null_count() == control.height


def test_clean_is_not_compared_with_clean():
    clean = accuracy(make(ALL)).filter(noise="clean")
    for name in ("drop", "drop_low", "excess", "excess_low", "churn", "churn_high", "churn_control"):
        assert clean[name].null_count() == clean.height, name
    assert clean.filter(recipe="lsq:w4a4")["delta"].null_count() == 0


def test_without_a_control_or_a_clean_cell_what_needs_it_is_null():
    alone = accuracy(make(ALL, ("lsq:w4a4",)))
    assert alone["control"].null_count() == alone["delta"].null_count() == alone.height and alone["drop"].null_count() == 1
    noisy = accuracy(make(SYSTEM))
    assert noisy["drop"].null_count() == noisy["churn"].null_count() == noisy["excess"].null_count() == noisy.height
    assert noisy.filter(recipe="lsq:w4a4")["delta"].null_count() == 0


def test_no_rows_no_lines():
    frame = accuracy(make(CLEAN).clear())
    assert frame.is_empty() and frame.schema == COLUMNS


def test_a_single_seed_has_wilsons_interval_and_several_a_wider_one_than_their_rows_would_allow():
    one = accuracy(make(CLEAN, n=50)).row(0, named=True)
    assert (one["low"], one["high"]) == tuple(wilson(round(one["value"] / 2), 50))
    rows = make(CLEAN, n=50)
    copies = pl.concat(
        [
            rows.with_columns(seed=pl.lit(s, pl.Int64), variant=pl.col("variant") + str(s), cell=pl.col("cell") + str(s))
            for s in range(9)
        ]
    )
    nine = accuracy(copies).row(0, named=True)
    assert nine["n"] == 50 and nine["value"] == one["value"]
    assert nine["high"] - nine["low"] == pytest.approx(one["high"] - one["low"], rel=0.15)


def test_mcnemar_counts_discordant_samples():
    rows = make(CLEAN, n=12).with_columns(correct=pl.lit(True))
    lost = (pl.col("recipe") == "lsq:w4a4") & pl.col("sample").is_in([f"s{i}" for i in range(6)])
    p = accuracy(rows.with_columns(correct=~lost)).filter(recipe="lsq:w4a4")["mcnemar_p"].item()
    assert p == pytest.approx(2 / 2**6)


def test_calibration_error_agrees_with_a_direct_computation():
    rows = make(CLEAN, ("fp32",), n=300)
    confidence, correct = rows["confidence"].to_numpy(), rows["correct"].to_numpy()
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert accuracy(rows)["ece"].item() == pytest.approx(100 * expected)


def test_values_that_are_not_numbers_never_reach_a_figure():
    rows = make(ALL, n=6).with_columns(confidence=pl.lit(float("nan")), loss=pl.lit(float("inf")))
    frame = accuracy(rows)
    assert frame["confidence"].null_count() == frame["loss"].null_count() == frame["ece"].null_count() == frame.height
    assert not any(frame[name].is_nan().any() for name in frame.columns if frame.schema[name] == pl.Float64)


@given(st.integers(1, 9), st.integers(1, 3), st.sampled_from([0.0, 0.5]), st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_order_does_not_matter_and_intervals_hold_their_values(n, seeds, missing, generator):
    rows = make(CLEAN | SYSTEM | ATTACKS, n=n, seeds=range(seeds), missing=missing, generator=generator)
    frame = accuracy(rows)
    assert_frame_equal(frame, accuracy(rows.sample(fraction=1.0, shuffle=True, seed=generator)), check_exact=True)
    for line in frame.iter_rows(named=True):
        assert line["n"] > 0
        for name, low, high in [
            ("value", "low", "high"),
            *((x, f"{x}_low", f"{x}_high") for x in ("delta", "drop", "excess", "churn")),
        ]:
            if line[name] is not None:
                assert line[low] <= line[name] <= line[high] and line[low] < line[high]
        assert 0 <= line["low"] and line["high"] <= 100
        assert not any(isinstance(value, float) and not np.isfinite(value) for value in line.values())


def test_a_rerun_with_other_settings_is_a_recipe_of_its_own():
    rows = make(CLEAN)
    again = rows.filter(recipe="lsq:w4a4").with_columns(variant=pl.lit("abcdef12"), cell=pl.lit("zz"), correct=pl.lit(False))
    frame = accuracy(pl.concat([rows, again]))
    assert frame["recipe"].to_list() == ["fp32", "lsq:w4a4 [abcdef]", "lsq:w4a4 [lsq:w4]"]
    assert frame["value"].to_list()[1] == 0 and frame["n"].to_list() == [40] * 3


def test_of_two_cells_of_one_noise_the_larger_counts():
    rows = make(CLEAN)
    small = rows.filter(pl.col("sample").is_in(["s1", "s2"])).with_columns(cell=pl.lit("a") + pl.col("cell"))
    assert_frame_equal(accuracy(pl.concat([small, rows])), accuracy(rows))


def test_defenses_are_apart():
    rows = make(CLEAN)
    frame = accuracy(
        pl.concat([rows, rows.with_columns(defense=pl.lit("patch"), cell=pl.lit("p") + pl.col("cell"), correct=pl.lit(True))])
    )
    assert frame["defense"].to_list() == ["none", "none", "patch", "patch"]
    assert frame["value"].to_list()[2:] == [100, 100] and frame["delta"].to_list()[3] == 0
