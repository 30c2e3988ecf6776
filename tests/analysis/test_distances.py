"""The curve of what stands at each budget, its median, and the set that every recipe gets right."""

import numpy as np
import polars as pl
import pytest
from analysis_rows import CLEAN, make, table

from bitproof.analysis import summary
from bitproof.analysis.distances import crossing

LADDER = {f"pgd-linf:eps={k}/255": ("pgd-linf", "adversarial", None, 0.5 * k) for k in (1, 2, 4)}
MORE = {"mim-linf:eps=2/255": ("mim-linf", "adversarial", None, 1.0), "pgd-linf:eps=1": ("pgd-linf", "adversarial", None, 50.0)}


def figures(rows, name, recipe="lsq:w4a4"):
    return summary(rows).filter(pl.col("figure") == name, pl.col("recipe") == recipe).to_dicts()


def test_the_median_is_read_off_the_curve():
    rows = make(CLEAN | LADDER | MORE, n=90)
    [line] = figures(rows, "distance:linf")
    own = table(rows, "lsq:w4a4")
    samples = [f"s{i}" for i in range(90)]
    stands = {s: own["clean", s, 0]["correct"] for s in samples}
    share = [np.mean(list(stands.values()))]
    for eps in (1, 2, 4):
        noises = [noise for noise in (*LADDER, *MORE) if noise.endswith(f"={eps}/255")]
        stands = {s: stands[s] and all(own[noise, s, 0]["correct"] for noise in noises) for s in samples}
        share.append(np.mean(list(stands.values())))
    k = next(i for i, value in enumerate(share) if value < 0.5)
    radii = [0, 1, 2, 4]
    expected = radii[k - 1] + (share[k - 1] - 0.5) / (share[k - 1] - share[k]) * (radii[k] - radii[k - 1])
    assert line["value"] == pytest.approx(expected, abs=1e-9)
    assert line["low"] < line["value"] < line["high"] <= 4 and line["n"] == 90
    assert line["delta_low"] <= line["delta"] <= line["delta_high"]
    assert line["verdict"] == "undecided" and "3 budgets up to ε = 4/255" in line["note"]


def with_distances(rows, noise, low, high):
    """Smallest changes from ``low`` to ``high`` (1/255) for ``noise``, a tenth of them never found."""
    values = np.linspace(low, high, rows.height) / 255
    found = pl.Series(np.where(np.arange(rows.height) % 10 == 3, np.nan, values)).fill_nan(None)
    return rows.with_columns(pl.when(pl.col("noise") == noise).then(found).otherwise(None).alias("distance"))


def test_distances_that_were_found_come_before_the_curve():
    minimal = {"fmn-linf": ("fmn-linf", "adversarial", None, 50.0)}
    rows = with_distances(make(CLEAN | LADDER | minimal, n=90), "fmn-linf", 0.5, 3.0)
    own = rows.filter(pl.col("noise") == "fmn-linf", pl.col("recipe") == "lsq:w4a4")["distance"]
    [line] = figures(rows, "distance:linf")
    assert line["value"] == pytest.approx(255 * np.median(own.fill_null(np.inf)), rel=0.01)
    assert line["low"] < line["value"] < line["high"] and line["n"] == 90
    assert "fmn-linf found" in line["note"] and "budgets" not in line["note"]
    assert line["delta"] > 0
    two = {"hopskipjump-linf": ("hopskipjump-linf", "adversarial", None, 50.0)}
    both = with_distances(make(CLEAN | minimal | two, n=90), "hopskipjump-linf", 0.5, 3.0)
    assert "hopskipjump-linf found" in figures(both, "distance:linf")[0]["note"]


def test_pictures_that_are_all_wrong_or_never_fooled_have_a_median_or_a_reason():
    rows = make(CLEAN | {"fmn-linf": ("fmn-linf", "adversarial", None, 50.0)}, n=40)
    [line] = figures(with_distances(rows, "fmn-linf", 0.0, 0.0), "distance:linf")
    assert line["value"] == 0 <= line["high"]
    never = rows.with_columns(distance=pl.when(pl.col("sample") == "s3").then(0.01).otherwise(None))
    [line] = figures(never, "distance:linf")
    assert line["value"] is None and "more steps or queries" in line["note"]


def test_where_half_stand_at_the_largest_budget_there_is_no_median():
    easy = {noise: (name, family, severity, 0.01) for noise, (name, family, severity, _) in LADDER.items()}
    [line] = figures(make(CLEAN | easy, n=60), "distance:linf")
    assert line["value"] is None and "attack at larger ones" in line["note"]
    assert figures(make(CLEAN | dict(list(LADDER.items())[:1])), "distance:linf") == []


@pytest.mark.parametrize(
    ("ratios", "expected"), [([0.9, 0.7, 0.3], 3.0), ([0.4, 0.2, 0.1], 0.0), ([0.9, 0.8, 0.6], 4.0), ([0.5, 0.5, 0.4], 2.0)]
)
def test_a_falling_curve_is_crossed_once(ratios, expected):
    radii = np.array([0.0, 2.0, 4.0])
    assert crossing(np.array(ratios), radii) == pytest.approx(expected)
    assert crossing(np.array([ratios] * 3), radii) == pytest.approx([expected] * 3)


def test_what_may_change_everything_counts_in_no_worst_case():
    anything = {name: (name, "adversarial", None, 50.0) for name in ("fmn-linf", "pgd-linf:eps=1")}
    with_ = make(CLEAN | LADDER | anything, n=50)
    without = with_.filter(~pl.col("noise").is_in([*anything]))
    told = [[(line["value"], line["note"]) for line in figures(rows, "robust_worst")] for rows in (with_, without)]
    assert told[0] == told[1] and told[0]
    assert figures(with_, "robust_worst")[0]["value"] > 0 == figures(with_, "robust:fmn-linf")[0]["value"]


def test_the_commonly_correct_set_is_what_every_recipe_gets_right():
    rows = make(CLEAN | LADDER, n=70, recipes=("fp32", "lsq:w4a4", "lsq:w2a2"))
    tables = {recipe: table(rows, recipe) for recipe in ("fp32", "lsq:w4a4", "lsq:w2a2")}
    common = [f"s{i}" for i in range(70) if all(own["clean", f"s{i}", 0]["correct"] for own in tables.values())]
    for recipe, own in tables.items():
        [line] = figures(rows, "ar_common:linf,eps=2/255", recipe)
        assert line["n"] == len(common)
        assert line["value"] == pytest.approx(100 * np.mean([own["pgd-linf:eps=2/255", s, 0]["correct"] for s in common]))
    assert figures(make(CLEAN | LADDER, recipes=("fp32",)), "ar_common", "fp32") == []
