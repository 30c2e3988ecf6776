import numpy as np
import polars as pl
import pytest
from analysis_rows import CLEAN, corruptions, make

from bitproof.analysis import accuracy, summary
from bitproof.analysis.corruption import ALEXNET, ALEXNET_CLEAN, FIGURES, GRID, KINDS, mce, relative_mce
from bitproof.noises.points.families import GRADED as POINTS
from bitproof.noises.sound.families import GRADED
from bitproof.noises.text.families import CORRUPTIONS as TEXTS

FIFTEEN = CLEAN | corruptions(list(ALEXNET))

#: Mean accuracies, %, over severities on RobustBench's 5,000 pictures of ImageNet-C, in the order of ``ALEXNET``.
#: Source: RobustBench, model_info/imagenet/corruptions/unaggregated_results.csv.
ALEXNET_5000 = (11.84, 11.168, 8.276, 17.796, 16.92, 21.276, 20.428, 13.2, 16.852, 17.636, 44.152, 14.568, 35.196, 28.144, 39.32)
RESNET50_5000 = (
    31.464,
    29.096,
    25.988,
    38.904,
    26.768,
    38.132,
    36.316,
    32.152,
    37.316,
    45.5,
    67.844,
    39.104,
    44.956,
    44.86,
    53.844,
)


def figure(frame, name, recipe="lsq:w4a4"):
    return frame.filter(figure=name, recipe=recipe).row(0, named=True)


def every_severity(means):
    return np.repeat(np.array(means) / 100, 5)


def test_the_reference_has_mce_100_and_resnet50_its_published_one():
    assert 100 * mce(every_severity(ALEXNET_5000)) == pytest.approx(100, abs=0.1)
    assert 100 * mce(every_severity(RESNET50_5000)) == pytest.approx(76.7, abs=0.5)  # Hendrycks & Dietterich, table 1
    with_clean = np.concatenate([[1 - ALEXNET_CLEAN], every_severity(ALEXNET_5000)])
    assert 100 * relative_mce(with_clean) == pytest.approx(100, abs=0.3)
    with_clean = np.concatenate([[0.7613], every_severity(RESNET50_5000)])
    assert 100 * relative_mce(with_clean) == pytest.approx(105, abs=1.5)  # the same table


def test_the_order_of_the_grid_is_that_of_the_reduction():
    one_perfect = np.zeros(75)
    one_perfect[[i for i, (name, _) in enumerate(GRID) if name == "fog"]] = 1
    rest = [1 / error for name, error in ALEXNET.items() if name != "fog"]
    assert mce(one_perfect) == pytest.approx(sum(rest) / 15)


def test_figures_agree_with_the_formula_on_the_lines_of_accuracy():
    rows = make(FIFTEEN, n=30)
    lines, frame = accuracy(rows), summary(rows, imagenet=["parquet:x"])

    def errors(recipe):
        part = lines.filter(recipe=recipe)
        return {(name, s): 1 - value / 100 for name, s, value in part.select("name", "severity", "value").iter_rows()}

    ours, control, clean = errors("lsq:w4a4"), errors("fp32"), errors("lsq:w4a4")["clean", None]
    sums = {name: sum(ours[name, s] for s in range(1, 6)) for name in ALEXNET}
    expected = {
        "mce": np.mean([sums[name] / (5 * ALEXNET[name]) for name in ALEXNET]),
        "relative_mce": np.mean([(sums[name] - 5 * clean) / (5 * (ALEXNET[name] - 0.43478)) for name in ALEXNET]),
        "ce_float": np.mean([sums[name] / sum(control[name, s] for s in range(1, 6)) for name in ALEXNET]),
        "nr": 1 - np.mean([error for (name, _), error in ours.items() if name != "clean"]),
    }
    for name, value in expected.items():
        assert figure(frame, name)["value"] == pytest.approx(100 * value), name
    assert figure(frame, "nr")["note"] == "complete: 15 corruptions × 5 severities"


def test_mce_is_for_imagenet_and_all_75_cells_alone():
    complete, task = make(FIFTEEN, n=5), "parquet:x"
    assert figure(summary(complete), "mce")["value"] is None
    assert "1000-class ImageNet" in figure(summary(complete), "mce")["note"]
    assert figure(summary(complete, imagenet=[task]), "mce")["value"] is not None
    assert figure(summary(complete.with_columns(task=pl.lit("imagenet:/data"))), "mce")["value"] is not None
    assert figure(summary(complete.with_columns(task=pl.lit("imagenet:/data")), imagenet=[]), "mce")["value"] is None
    partial = summary(complete.filter(pl.col("noise") != "fog:5"), imagenet=[task])
    for name in ("mce", "relative_mce"):
        assert figure(partial, name)["value"] is None
        assert figure(partial, name)["note"] == "needs each of 15 corruptions at severities 1 to 5 once, found 74 cells"
    assert figure(partial, "nr")["value"] is not None
    unclean = summary(complete.filter(pl.col("noise") != "clean"), imagenet=[task])
    assert figure(unclean, "relative_mce")["note"] == "no clean cell" and figure(unclean, "mce")["value"] is not None


def of_other_constants(rows, settings):
    """The same rows, of fog at other settings."""
    fog = pl.col("noise").str.starts_with("fog:")
    return rows.with_columns(noise=pl.when(fog).then(pl.col("noise") + f",{settings}").otherwise("noise"))


@pytest.mark.parametrize("settings", ["constants=cifar", "constants=imagenet-299", "fixed=true"])
def test_mce_needs_the_constants_that_alexnet_met(settings):
    rows = make(FIFTEEN, n=5)
    frame = summary(of_other_constants(rows, settings), imagenet=["parquet:x"])
    for name in ("mce", "relative_mce"):
        assert figure(frame, name)["value"] is None
        assert f"fog:1,{settings}, fog:2,{settings}" in figure(frame, name)["note"]
    assert figure(frame, "nr")["value"] == figure(summary(rows), "nr")["value"]
    assert f"5 severities; with settings of their own: fog:1,{settings}, " in figure(frame, "nr")["note"]


@pytest.mark.parametrize("settings", ["constants=imagenet", "stored=true", "constants=imagenet,stored=true"])
def test_constants_and_storage_that_are_imagenet_cs_by_name_are_taken(settings):
    rows = make(FIFTEEN, n=5)
    named = summary(of_other_constants(rows, settings), imagenet=["parquet:x"])
    assert figure(named, "mce")["value"] == figure(summary(rows, imagenet=["parquet:x"]), "mce")["value"] is not None
    assert figure(named, "nr")["note"] == "complete: 15 corruptions × 5 severities"


@pytest.mark.parametrize(("kind", "names"), [("sound", GRADED), ("texts", TEXTS), ("points", POINTS)])
def test_another_kind_has_its_own_corruptions(kind, names):
    assert KINDS[kind] == set(names)
    frame = summary(make(CLEAN | corruptions(names, [2])))
    found = figure(frame, "nr")
    assert (
        found["value"] is not None
        and found["note"] == f"{len(names)} of {5 * len(names)} cells of {kind}: {', '.join(sorted(names))}"
    )
    assert figure(frame, "ce_float")["value"] is not None and frame.filter(figure="mce").is_empty()
    mixed = figure(summary(make(CLEAN | corruptions([*names, "fog"], [2]))), "nr")
    assert mixed["note"].startswith("incomplete, 1 of 75 cells: fog at 2")


def test_what_needs_a_users_own_file_is_in_no_mean():
    rows = make(CLEAN | corruptions([*TEXTS, "synonyms"], [2]))
    both, without = (figure(summary(each), "nr") for each in (rows, rows.filter(pl.col("noise") != "synonyms:2")))
    assert both["note"] == f"{without['note']}; left out: synonyms" and both["value"] == without["value"]
    alone = figure(summary(make(CLEAN | corruptions(["synonyms"], [2]))), "nr")
    assert alone["value"] is None and alone["note"] == "synonyms alone, which no mean counts"


@pytest.mark.parametrize("name", ["nr", "mce", "relative_mce"])
def test_the_formula_says_which_constants_are_met(name):
    assert "follow the picture's size" in FIGURES[name].formula
    assert "{{" not in FIGURES[name].formula


def test_the_control_has_no_errors_relative_to_itself():
    frame = summary(make(CLEAN | corruptions(["fog"])))
    line = figure(frame, "ce_float", "fp32")
    assert line["value"] is line["low"] is line["high"] is None
    assert line["note"] == "this is the control, 100 by definition"
    assert figure(frame, "ce_float")["value"] is not None


def test_an_incomplete_mean_says_over_what():
    noises = CLEAN | corruptions(["fog", "frost"], [1, 3]) | corruptions(["spatter"], [2])
    note = figure(summary(make(noises)), "nr")["note"]
    assert note == "incomplete, 4 of 75 cells: frost at 1 3, fog at 1 3; left out: spatter"
    only = figure(summary(make(CLEAN | corruptions(["spatter"], [2]))), "nr")
    assert only["value"] is None and only["note"] == "none of the 15 test corruptions; left out: spatter"


def test_the_error_ratio_needs_a_control_that_errs():
    rows = make(CLEAN | corruptions(["fog"]))
    assert figure(summary(rows.filter(recipe="lsq:w4a4")), "ce_float")["note"] == "no float control"
    sure = rows.with_columns(correct=pl.col("correct") | (pl.col("recipe") == "fp32"))
    assert figure(summary(sure), "ce_float")["value"] is None
