import numpy as np
import polars as pl
import pytest
from analysis_rows import ATTACKS, CLEAN, FRAMES, JOINED, SYSTEM, corruptions, make, percent, table
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bitproof.analysis import FIGURES, accuracy, summary
from bitproof.analysis.budgets import budget, budgets
from bitproof.analysis.summary import COLUMNS

ALL = CLEAN | corruptions() | FRAMES | SYSTEM | ATTACKS | JOINED


def figure(frame, name, recipe="lsq:w4a4"):
    return frame.filter(figure=name, recipe=recipe).row(0, named=True)


@pytest.fixture(scope="module")
def rows():
    return make(ALL, n=60)


@pytest.fixture(scope="module")
def frame(rows):
    return summary(rows)


def test_columns_and_descriptions(frame):
    assert frame.schema == COLUMNS
    joined_to_attacks = {"robust_joined", "robust_change"}  # see test_joined
    assert {name.partition(":")[0] for name in frame["figure"]} == FIGURES.keys() - joined_to_attacks
    assert frame.select("recipe", "figure").is_duplicated().sum() == 0
    for described in FIGURES.values():
        assert all([described.title, described.unit, described.formula, described.source])
        assert described.better in ("higher", "lower", "neither")


def test_clean_agrees_with_the_line_of_accuracy(rows, frame):
    line = accuracy(rows).filter(noise="clean", recipe="lsq:w4a4").row(0, named=True)
    found = figure(frame, "clean")
    assert {k: found[k] for k in ("value", "low", "high", "n", "delta", "delta_low", "delta_high", "pairs")} == {
        k: line[k] for k in ("value", "low", "high", "n", "delta", "delta_low", "delta_high", "pairs")
    }


def test_means_over_cells_agree_with_accuracy(rows, frame):
    lines = accuracy(rows).filter(recipe="lsq:w4a4")
    for name, family, column in [
        ("nr", "natural", "value"), ("churn_natural", "natural", "churn"),
        ("churn_system", "system", "churn"), ("ece_natural", "natural", "ece"), ("ece_system", "system", "ece"),
        ("confidence_natural", "natural", "confidence"), ("confidence_system", "system", "confidence"),
    ]:  # fmt: skip
        assert figure(frame, name)["value"] == pytest.approx(lines.filter(family=family)[column].mean(), rel=1e-6), name
    system = lines.filter(pl.col("family").is_in(["clean", "system"]))["value"]
    assert system.len() == 1 + len(SYSTEM)
    assert figure(frame, "system_mean")["value"] == pytest.approx(system.mean())
    assert figure(frame, "system_mean")["note"] == "over 4 settings: clean, cv-area, decode-ffmpeg, pil-nearest"
    assert figure(frame, "system_std")["value"] == pytest.approx(system.std(ddof=0))
    assert figure(frame, "system_worst")["value"] == pytest.approx(system.min())
    assert figure(frame, "nr")["delta"] == pytest.approx(lines.filter(family="natural")["delta"].mean())
    worst = lines.filter(pl.col("family").is_in(["clean", "system"])).sort("value")["noise"][0]
    assert figure(frame, "system_worst")["note"].startswith(f"worst: {worst}; over 4 settings")


@pytest.mark.parametrize(("seeds", "missing"), [((0,), 0.0), ((0,), 0.3), ((0, 1), 0.2)])
def test_attacks_agree_with_counting_row_by_row(seeds, missing):
    rows = make(CLEAN | ATTACKS, n=50, seeds=seeds, missing=missing)
    frame = summary(rows)
    own, other = table(rows, "lsq:w4a4"), table(rows, "fp32")
    groups = {f":{noise}": [noise] for noise in ATTACKS} | {"_worst": list(ATTACKS)}
    groups |= {"_worst:linf,eps=2/255": [n for n in ATTACKS if "2/255" in n], "_worst:l2,eps=0.5": ["pgd-l2:eps=0.5"]}
    for suffix, noises in groups.items():
        keys = {(s, seed) for _, s, seed in own}
        seen = {k for k in keys if all((noise, *k) in own for noise in noises)}
        hit = {k: all(own[noise, *k]["correct"] for noise in noises) for k in seen}
        assert figure(frame, f"robust{suffix}")["value"] == pytest.approx(percent([hit[k] for k in seen]))
        right = {k for k in seen if own.get(("clean", *k), {}).get("correct")}
        line = figure(frame, f"ar{suffix}")
        assert line["value"] == pytest.approx(percent([hit[k] for k in right]))
        assert line["n"] == len({sample for sample, _ in right})
        paired = {k for k in right if other.get(("clean", *k), {}).get("correct") and all((noise, *k) in other for noise in noises)}
        theirs = {k: all(other[noise, *k]["correct"] for noise in noises) for k in paired}
        assert line["delta"] == pytest.approx(percent([hit[k] - theirs[k] for k in paired]))
        assert line["pairs"] == len({sample for sample, _ in paired})


def test_every_adversarial_figure_carries_its_gradient_and_the_verdict(frame):
    lines = frame.filter(pl.col("figure").str.contains("^(ar|robust)"))
    assert lines.height == 2 * (2 * (4 + 3 + 1) + 3 + 1)
    assert set(lines["verdict"]) == {"undecided"}
    for note in lines.filter(~pl.col("figure").str.starts_with("ar_common"))["note"]:
        assert note.startswith("gradient: ste; audit: undecided")
    assert figure(frame, "robust_worst:linf,eps=2/255")["note"].endswith("worst of 2: mim-linf:eps=2/255, pgd-linf:eps=2/255")


@given(st.integers(1, 12), st.integers(1, 2), st.sampled_from([0.0, 0.4]), st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_the_worst_case_is_below_each_attack_and_every_interval_holds_its_value(n, seeds, missing, generator):
    rows = make(ALL, n=n, seeds=range(seeds), missing=missing, generator=generator)
    frame = summary(rows)
    assert_frame_equal(frame, summary(rows.sample(fraction=1.0, shuffle=True, seed=generator)), check_exact=True)
    for line in frame.iter_rows(named=True):
        assert not any(isinstance(value, float) and np.isnan(value) for value in line.values())
        if line["value"] is None:
            assert line["note"] and line["low"] is None and line["delta"] is None
            continue
        assert line["low"] <= line["value"] <= line["high"] and line["n"] > 0
        assert line["figure"] in ("ce_float", "mfr_float") or 0 <= line["low"] <= line["high"] <= 100
        if line["delta"] is not None:
            assert line["delta_low"] <= line["delta"] <= line["delta_high"] and line["pairs"] > 0
    if not missing:
        for recipe in ("fp32", "lsq:w4a4"):
            for kind in ("ar", "robust"):
                each = frame.filter(pl.col("figure").str.starts_with(f"{kind}:"), recipe=recipe)["value"]
                levels = frame.filter(pl.col("figure").str.starts_with(f"{kind}_worst:"), recipe=recipe)["value"]
                worst = figure(frame, f"{kind}_worst", recipe)["value"]
                assert worst is None or worst <= min(each.min(), levels.min()) + 1e-9


def test_few_samples_make_wide_intervals():
    sure = make(ALL, n=3).with_columns(correct=pl.lit(True), prediction="label")
    for name in ("clean", "nr", "system_mean", "robust_worst"):
        line = figure(summary(sure), name)
        assert line["value"] == 100 and line["high"] == 100 and line["low"] < 50
        assert line["delta"] == 0 and line["delta_low"] < -50 and line["delta_high"] > 50


def test_families_that_were_not_asked_for_have_no_lines_and_those_that_failed_say_so():
    assert set(summary(make(CLEAN))["figure"]) == {"clean", "ece", "confidence"}
    assert summary(make(CLEAN).clear()).is_empty()
    failed = summary(make(ALL).filter((pl.col("recipe") == "fp32") | (pl.col("noise") == "clean")))
    for name in ("nr", "mce", "ce_float", "system_mean", "system_std", "robust_worst", "ar_worst", "churn_system", "ece_natural"):
        line = figure(failed, name)
        assert line["value"] is None and line["n"] == 0 and line["note"], name
        assert name in ("mce", "ce_float") or figure(failed, name, "fp32")["value"] is not None
    dirty = summary(make(SYSTEM | ATTACKS))
    assert figure(dirty, "clean")["note"] == "no clean cell"
    assert figure(dirty, "ar_worst")["value"] is None and figure(dirty, "robust_worst")["value"] is not None
    assert figure(dirty, "churn_system")["note"] == "no clean cell to compare with"


def test_one_setting_has_no_spread():
    one = {"cv-area": SYSTEM["cv-area"]}
    line = figure(summary(make(one)), "system_std")
    assert line["value"] is None and "cv-area" in line["note"]
    assert figure(summary(make(CLEAN | one)), "system_std")["note"] == "over 2 settings: clean, cv-area"


def test_the_clean_setting_counts_on_the_samples_of_the_system_noises():
    rows = make(CLEAN | SYSTEM, n=40)
    few = [f"s{i}" for i in range(7)]
    limited = rows.filter(pl.col("sample").is_in(few) | (pl.col("noise") == "clean"))
    both = [
        summary(part).filter(pl.col("figure").str.starts_with("system"))
        for part in (limited, rows.filter(pl.col("sample").is_in(few)))
    ]
    assert_frame_equal(*(part.select("figure", "recipe", "value", "n", "delta", "pairs", "note") for part in both))


def test_a_recipe_without_the_clean_cell_has_the_other_settings():
    rows = make(CLEAN | SYSTEM).filter((pl.col("recipe") == "fp32") | (pl.col("noise") != "clean"))
    line = figure(summary(rows), "system_mean")
    assert line["note"] == "over 3 settings: cv-area, decode-ffmpeg, pil-nearest" and line["delta"] is not None


def test_seeds_are_named():
    assert figure(summary(make(CLEAN, seeds=(3, 4))), "clean")["note"] == "2 seeds, pooled by sample"


def test_the_difference_goes_over_the_cells_in_common():
    rows = make(CLEAN | corruptions(["fog"]), n=30)
    fewer = rows.filter((pl.col("recipe") != "fp32") | (pl.col("noise") != "fog:5"))
    lines = accuracy(rows).filter(pl.col("noise") != "fog:5", recipe="lsq:w4a4", family="natural")
    assert figure(summary(fewer), "nr")["delta"] == pytest.approx(lines["delta"].mean())


def test_budgets():
    assert budget("pgd-linf:eps=8/255,steps=20").eps == budget("fgsm-linf:8/255").eps == budget("x-linf:steps=1,eps=8/255").eps
    assert budget("pgd-linf") is None and budget("patch:eps=1") is None and budget("pgd-l2:eps=big") is None
    three = [
        f"pgd-{norm}:eps={eps}" for norm, scale in [("l2", 1), ("linf", 255), ("l1", 1)] for eps in (f"8/{scale}", f"2/{scale}")
    ]
    found = budgets([*three, "fgsm-linf:2/255", "square-linf"])
    assert found["linf,eps=2/255"] == ["pgd-linf:eps=2/255", "fgsm-linf:2/255"]
    assert found["level=1"] == ["pgd-linf:eps=2/255", "fgsm-linf:2/255", "pgd-l2:eps=2/1", "pgd-l1:eps=2/1"]
    assert [name for name in found if name.startswith("level")] == ["level=1", "level=2"]
    assert not any(name.startswith("level") for name in budgets([*three, "pgd-l1:eps=99"]))
    assert not any(name.startswith("level") for name in budgets(["pgd-linf:eps=1/255", "mim-linf:eps=2/255"]))


def test_attacks_at_one_radius_written_differently_share_a_budget():
    assert budgets(["pgd-linf:eps=0.5", "mim-linf:eps=1/2"]) == {"linf,eps=0.5": ["pgd-linf:eps=0.5", "mim-linf:eps=1/2"]}


@pytest.mark.slow
def test_intervals_cover_what_they_estimate():
    rng = np.random.default_rng(5)
    names, trials = ("nr", "system_mean", "system_worst", "system_std", "ece_natural"), 150
    noises = CLEAN | corruptions(["fog"], [1, 3]) | SYSTEM
    truth = summary(make(noises, n=60_000, generator=1))
    covered = {(name, kind): 0 for name in names for kind in ("value", "delta")}
    for _ in range(trials):
        frame = summary(make(noises, n=150, generator=int(rng.integers(2**40))))
        for name, kind in covered:
            low, high = ("low", "high") if kind == "value" else ("delta_low", "delta_high")
            line = figure(frame, name)
            covered[name, kind] += line[low] <= figure(truth, name)[kind] <= line[high]
    assert all(0.88 <= count / trials for count in covered.values()), covered


def test_a_low_bit_network_may_be_the_control_where_there_is_no_float_one():
    rows = make(CLEAN | SYSTEM, recipes=("given:w8a8", "bnn:w1a1"))
    frame = summary(rows)
    assert set(frame["control"]) == {"given:w8a8"} and figure(frame, "clean", "bnn:w1a1")["delta"] is not None
    with_float = summary(make(CLEAN | SYSTEM, recipes=("fp32", "given:w8a8", "bnn:w1a1")))
    assert set(with_float["control"]) == {"fp32"}


def test_any_recipe_may_stand_in_the_controls_place():
    rows = make(CLEAN | SYSTEM, recipes=("fp32", "lsq:w4a4", "pact:w4a4"), missing=0.2)
    usual, other = summary(rows), summary(rows, against="pact:w4a4")
    assert set(other["control"]) == {"pact:w4a4"}
    one, swapped = figure(other, "clean"), figure(summary(rows, against="lsq:w4a4"), "clean", "pact:w4a4")
    clean = (
        rows.filter(noise="clean")
        .pivot(on="recipe", index="sample", values="correct", aggregate_function="mean")
        .drop_nulls(["lsq:w4a4", "pact:w4a4"])
    )
    assert one["delta"] == pytest.approx(100 * (clean["lsq:w4a4"].cast(float) - clean["pact:w4a4"].cast(float)).mean())
    assert (one["delta"], one["delta_low"], one["delta_high"]) == pytest.approx(
        (-swapped["delta"], -swapped["delta_high"], -swapped["delta_low"])
    )
    assert figure(other, "clean", "pact:w4a4")["delta"] is None and figure(other, "clean", "fp32")["delta"] is not None
    assert other["value"].equals(usual["value"]), "a figure of one recipe stands whatever it is compared with"
    assert accuracy(rows, against="pact:w4a4").filter(recipe="lsq:w4a4", noise="clean")["delta"].item() == one["delta"]


def test_where_the_rival_was_not_run_nothing_is_compared():
    assert summary(make(CLEAN, recipes=("fp32", "lsq:w4a4")), against="mse:w8a8")["delta"].null_count() == 2 * 3
