"""BiBench's overall metrics against values worked out by hand from planted rows."""

import math
import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bibench_rows import both, cell, costs

from bitproof.analysis import bibench
from bitproof.core import SpecError
from bitproof.results.schema import VARIANTS

NOTHING = pl.DataFrame(schema=VARIANTS)


def lines(rows, variants=NOTHING, families=None, recipe="bireal:w1a1"):
    frame = bibench(pl.concat(rows) if isinstance(rows, list) else rows, variants, families)
    return {row["track"]: row for row in frame.filter(recipe=recipe).iter_rows(named=True)}


def test_task_is_the_quadratic_mean_over_tasks_of_the_mean_over_models():
    rows = both([8], [6], ["clean"]) + both([10], [5], ["clean"], model="vgg") + both([5], [5], ["clean"], task="parquet:b")
    line = lines(rows)["task"]
    assert line["value"] == pytest.approx(math.sqrt(((0.75 + 0.5) ** 2 / 4 + 1) / 2))
    assert line["low"] < line["value"] < line["high"] and line["n"] == 10
    assert line["status"] == "part" and "2 of BiBench's 9" in line["lacks"] and "parquet:a 0.625" in line["computed_from"]


def test_nine_tasks_are_the_whole_track():
    assert lines([part for i in range(9) for part in both([8], [6], ["clean"], task=f"parquet:{i}")])["task"]["status"] == "whole"


def test_fp32_is_the_control_where_there_is_no_float():
    line = lines([cell("fp32", 8), cell("bireal:w1a1", 4)])["task"]
    assert line["value"] == pytest.approx(0.5) and "against fp32" in line["computed_from"]
    assert lines([cell("fp32", 8), cell("float", 10), cell("bireal:w1a1", 4)])["task"]["value"] == pytest.approx(0.4)


def test_seeds_are_pooled_and_only_those_in_common_count():
    rows = [
        cell("float", 8),
        cell("float", 10, seed=1),
        cell("bireal:w1a1", 4),
        cell("bireal:w1a1", 5, seed=1),
        cell("bireal:w1a1", 0, seed=2),
    ]
    assert lines(rows)["task"]["value"] == pytest.approx(0.5)


def test_the_interval_is_paired():
    alike = lines([cell("float", 50, 100), cell("bireal:w1a1", 50, 100)])["task"]
    unseen = 1.959963984540054**2 / (100 + 1.959963984540054**2)
    assert (alike["value"], alike["low"], alike["high"]) == pytest.approx((1, 1 - unseen, 1 + unseen))


def test_architecture_goes_by_family():
    rows = both([8], [6], ["clean"]) + both([10], [5], ["clean"], model="timm/vit_tiny") + both([10], [10], ["clean"], model="mine")
    two = lines(rows)["architecture"]
    assert two["value"] == pytest.approx(math.sqrt((0.75**2 + 0.5**2) / 2))
    assert "no mlp" in two["lacks"] and "mine: --family MODEL=cnn|transformer|mlp" in two["lacks"]
    three = lines(rows, families={"mine": "mlp"})["architecture"]
    assert three["value"] == pytest.approx(math.sqrt((0.75**2 + 0.5**2 + 1) / 3)) and three["status"] == "whole"
    moved = lines(rows, families={"mine": "cnn"})["architecture"]
    assert moved["value"] == pytest.approx(math.sqrt((0.875**2 + 0.5**2) / 2)) and "cnn 0.875" in moved["computed_from"]


@pytest.mark.parametrize(
    ("said", "word"), [({"resnet20": "rnn"}, "none of cnn, transformer, mlp"), ({"resnet": "cnn"}, "No model 'resnet'")]
)
def test_families_that_cannot_be(said, word):
    with pytest.raises(SpecError, match=word):
        lines(both([8], [6], ["clean"]), families=said)


def test_robustness_averages_gaps_over_severities_first():
    line = lines(both([8, 6, 4, 6], [6, 5, 3, 2], ["clean", "fog:1", "fog:3", "frost:2"]))["robustness"]
    assert line["value"] == pytest.approx(math.sqrt((1.5**2 + 0.5**2) / 2))
    assert line["status"] == "part" and "2 of 15 corruptions" in line["lacks"] and "2 corruptions, 3 cells" in line["computed_from"]


def test_a_gap_is_taken_on_the_samples_that_met_both_noises():
    rows = [cell("float", 10, 20), cell("bireal:w1a1", 10, 20), cell("float", 8, 10, "fog:1"), cell("bireal:w1a1", 6, 10, "fog:1")]
    line = lines(rows)["robustness"]
    assert line["value"] == pytest.approx(0.2 / 0.4) and line["n"] == 10


def test_a_network_without_a_gap_stays_finite_and_is_named():
    line = lines(both([8, 6], [1, 2], ["clean", "fog:1"]))["robustness"]
    assert line["value"] == pytest.approx(0.2 / 0.05) and "counted as half: fog" in line["computed_from"]


def test_corruptions_of_sound_enter_where_there_are_none_of_pictures_as_a_part():
    heard = both([8, 6, 4], [6, 5, 3], ["clean", "babble:1", "gain:3"], model="bifsmn", task="keyword/parquet:a")
    line = lines(heard)["robustness"]
    assert line["value"] == pytest.approx(math.sqrt((2**2 + (4 / 3) ** 2) / 2)) and line["status"] == "part"
    assert "2 of 9 corruptions" in line["lacks"] and "of sound, and BiBench's are of pictures" in line["lacks"]
    seen = both([8, 6], [6, 2], ["clean", "fog:1"])
    joined = lines(heard + seen)["robustness"]
    assert joined["value"] == lines(seen)["robustness"]["value"] and "sound" not in joined["lacks"]


def test_runs_of_several_kinds_are_one_evaluation():
    rows = (
        both([8], [6], ["clean"])
        + both([10], [5], ["clean"], model="bifsmn", task="keyword/parquet:b")
        + both([10], [9], ["clean"], model="minilm-l6", task="text/glue:sst2,FILE")
        + both([10], [7], ["clean"], model="minilm-l6", task="text/glue:rte,FILE")
        + both([10], [4], ["clean"], model="pointnet", task="modelnet:DIR")
    )
    found = lines(rows)
    glue = 0.8  # two tasks, one data set
    assert found["task"]["value"] == pytest.approx(math.sqrt((0.75**2 + 0.5**2 + glue**2 + 0.4**2) / 4))
    assert "tasks: 5" in found["task"]["computed_from"] and "4 of BiBench's 9" in found["task"]["lacks"]
    assert found["architecture"]["value"] == pytest.approx(math.sqrt((0.75**2 + glue**2 + 0.45**2) / 3))
    assert found["architecture"]["status"] == "whole"


def answers(recipe, task, labels, predictions, **numbers):
    n = len(labels)
    found = cell(recipe, 0, n, model="minilm-l6", task=task)
    columns = {"label": labels, "prediction": predictions, "correct": [a == b for a, b in zip(labels, predictions, strict=True)]}
    return found.with_columns(*(pl.Series(name, values) for name, values in {**columns, **numbers}.items())).cast(found.schema)


def test_cola_is_scored_by_matthews():
    labels = [1] * 6 + [0] * 4
    fp, bi = [1] * 5 + [0] + [0] * 3 + [1], [1] * 6 + [1] * 2 + [0] * 2
    rows = [answers("float", "text/glue:cola,F", labels, fp), answers("bireal:w1a1", "text/glue:cola,F", labels, bi)]
    fp_mcc, bi_mcc = (5 * 3 - 1 * 1) / 24, (6 * 2) / math.sqrt(8 * 6 * 4 * 2)  # by hand from the two tables
    line = lines(rows)["task"]
    assert line["value"] == pytest.approx(bi_mcc / fp_mcc) and "matthews" in line["computed_from"]
    constant = [rows[0], answers("bireal:w1a1", "text/glue:cola,F", labels, [1] * 10)]
    assert lines(constant)["task"]["value"] == 0  # 60 % right, and says nothing


def test_numbers_are_scored_by_their_correlations():
    scipy = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    target, fp, bi = [0.0, 1, 2, 3, 4, 5], [0.1, 1.2, 1.9, 3.3, 3.8, 4.6], [2.0, 1, 3, 2.5, 2.7, 4]
    rows = [
        answers(recipe, "glue:stsb,F", [0] * 6, [0] * 6, value=values, target=target)
        for recipe, values in (("float", fp), ("bireal:w1a1", bi))
    ]
    score = [(scipy.pearsonr(x, target)[0] + scipy.spearmanr(x, target)[0]) / 2 for x in (fp, bi)]
    line = lines(rows)["task"]
    assert line["value"] == pytest.approx(score[1] / score[0], rel=1e-5) and line["low"] <= line["value"] <= line["high"]


def test_a_network_that_always_answers_the_same_number_scores_nothing():
    target = [0.0, 1, 2, 3, 4, 5]
    rows = [
        answers(recipe, "glue:stsb,F", [0] * 6, [0] * 6, value=values, target=target)
        for recipe, values in (("float", target), ("bireal:w1a1", [2.5] * 6))
    ]
    line = lines(rows)["task"]
    assert line["value"] == 0 and "left out" not in line["lacks"]


def test_corruptions_beyond_the_fifteen_do_not_enter():
    assert lines(both([8, 6], [6, 2], ["clean", "spatter:1"]))["robustness"]["status"] == "missing"


def test_efficiency_comes_from_variant_rows():
    rows = pl.concat([*both([8], [6], ["clean"]), *both([8], [6], ["clean"], model="vgg"), cell("fp32", 8)])
    found = lines(rows, costs(rows, {"float": 30.0, "bireal:w1a1": 40.0, "fp32": 1.0}, {"bireal:w1a1": 160}))
    assert found["training"]["value"] == pytest.approx(0.75) and "trainings: 2" in found["training"]["computed_from"]
    assert found["complexity"]["value"] == pytest.approx(20) and "operation counts" in found["complexity"]["lacks"]
    assert all(found[track]["low"] is None and found[track]["status"] == "part" for track in ("training", "complexity"))
    assert found["hardware"]["status"] == "missing" and "export" in found["hardware"]["lacks"]


def test_fp32_is_no_control_of_training():
    rows = pl.concat([cell("fp32", 8), cell("bireal:w1a1", 6)])
    assert lines(rows, costs(rows, {"fp32": 1.0, "bireal:w1a1": 40.0}, {}))["training"]["status"] == "missing"


def test_what_is_missing_without_a_control():
    found = lines([cell("bireal:w1a1", 6), cell("lsq:w4a4", 6)])
    assert {row["status"] for row in found.values()} == {"missing"} and "add clean to noises and float" in found["task"]["lacks"]
    again = lines([cell("bireal:w1a1", 6), cell("float", 6, variant="aaaaaaaa"), cell("float", 6, variant="bbbbbbbb")])
    assert "several trainings of the control (float [aaaaaa]" in again["task"]["lacks"]


def test_a_control_that_is_never_right():
    rows = both([0], [6], ["clean"])
    alone, joined = lines(rows), lines(rows + both([8], [6], ["clean"], task="parquet:b"))
    for track in ("task", "architecture"):
        assert alone[track]["status"] == "missing" and joined[track]["value"] == pytest.approx(0.75)
        assert "control scores nothing there (look at its training): parquet:a (resnet20)" in joined[track]["lacks"]


def test_no_binarized_recipe():
    with pytest.raises(SpecError, match="found float, lsq:w4a4"):
        lines([cell("float", 8), cell("lsq:w4a4", 6)])


def test_order_repetition_and_defended_rows_change_nothing():
    rows = pl.concat(both([8, 6, 4], [6, 5, 3], ["clean", "fog:1", "frost:3"]))
    variants = costs(rows, {"float": 30.0, "bireal:w1a1": 40.0}, {})
    behind = cell("bireal:w1a1", 0, defense="jpeg")
    mixed = pl.concat([rows, behind, rows]).sample(fraction=1, shuffle=True, seed=0)
    assert bibench(mixed, pl.concat([variants, variants])).equals(bibench(rows, variants))


def test_the_published_order_stands_beside_known_methods():
    found = bibench(pl.concat([cell("float", 8), cell("xnorpp:w1a1", 6), cell("mine:w1a1", 6)]), NOTHING)
    radar = {(row["method"], row["track"]): row["radar"] for row in found.iter_rows(named=True)}
    assert radar["xnorpp", "hardware"] == 0 and radar["xnorpp", "task"] == 0.78 and radar["mine", "task"] is None
    assert found["source"].str.contains("2301.11233").all() and found.height == 12


def trained(right, seeds=(0,), teacher_lr=False):
    """Rows and variants of recipes trained at several rates: recipe → rate → how many of 10 are right, and the seconds."""
    rows, made = [], []
    for recipe, rates in right.items():
        for rate, (hits, seconds) in rates.items():
            for seed in seeds:
                one = cell(recipe, hits + seed, variant=f"{recipe[:5]}{rate}-{seed}", seed=seed)
                told = f"version=1,batch_size=8,distill=0.0,lr={rate},match=hed:weight=0.1,optimizer=adamw,teacher=float"
                if teacher_lr:
                    told = told.replace("lr=", "lr=9", 1) + f",teacher_lr={rate}"
                if recipe == "float":
                    told = f"version=1,batch_size=8,distill=0.0,lr={rate},optimizer=adamw"
                made.append(costs(one, {recipe: seconds}, {}).with_columns(training=pl.lit(told)))
                rows.append(one)
    return rows, pl.concat(made)


def test_sensitivity_is_the_spread_over_settings_beside_the_controls():
    rows, variants = trained(
        {"float": {0.1: (8, 30.0), 0.01: (6, 10.0)}, "bireal:w1a1": {0.1: (7, 60.0), 0.01: (3, 20.0), 0.001: (1, 20.0)}}
    )
    rows.append(cell("float", 4, noise="fog:1", variant="float0.1-0"))  # more rows: the usual setting
    found = lines(rows, variants)
    line = found["training"]
    assert line["value"] == pytest.approx(math.sqrt((0.5**2 + 0.5**2) / 2))  # times 30/60 alone; spreads 2 against 4 of 10
    assert line["status"] == "part" and "2 of BiBench's 8 settings" in line["lacks"]
    assert "time 0.500" in line["computed_from"] and "sensitivity 0.500, settings: 2, trainings: 2" in line["computed_from"]
    assert found["task"]["value"] == pytest.approx(7 / 8)  # at that setting, and no "several trainings"


def test_a_setting_is_known_by_the_rate_of_its_control():
    right = {"float": {0.1: (8, 30.0), 0.01: (6, 10.0)}, "bireal:w1a1": {0.1: (7, 60.0), 0.01: (3, 20.0)}}
    alike, apart = (lines(*trained(right, teacher_lr=own))["training"] for own in (False, True))
    assert apart["value"] == alike["value"] and "settings: 2" in apart["computed_from"]


def test_sensitivity_takes_seeds_and_needs_two_settings():
    rows, variants = trained({"float": {0.1: (8, 30.0), 0.01: (6, 30.0)}, "bireal:w1a1": {0.1: (5, 60.0), 0.01: (5, 60.0)}}, (0, 1))
    line = lines(rows, variants)["training"]
    fp, bi = ([hits / 10 for hits in each] for each in ((8, 9, 6, 7), (5, 6, 5, 6)))
    ratio = pl.Series(fp).std() / pl.Series(bi).std()
    assert line["value"] == pytest.approx(math.sqrt((0.5**2 + ratio**2) / 2)) and "trainings: 4" in line["computed_from"]
    alone, made = trained({"float": {0.1: (8, 30.0)}, "bireal:w1a1": {0.1: (5, 60.0)}}, (0, 1, 2))
    line = lines(alone, made)["training"]
    assert line["value"] == pytest.approx(0.5) and "not measured" in line["lacks"] and "bibench-sensitivity" in line["lacks"]


def test_a_spread_of_nothing_stays_finite():
    rows, variants = trained({"float": {0.1: (8, 30.0), 0.01: (6, 30.0)}, "bireal:w1a1": {0.1: (5, 0.0), 0.01: (5, 0.0)}})
    line = lines(rows, variants)["training"]
    assert line["value"] == pytest.approx(pl.Series([0.8, 0.6]).std() / 0.05) and "T left out" in line["lacks"]


COUNTED = {"weights": 3300, "weights_binary": 3200, "macs": 7000, "macs_binary": 6400}


def test_complexity_counts_a_thirty_second_of_a_parameter_and_a_sixty_fourth_of_an_operation():
    rows = pl.concat(both([8], [6], ["clean"]))
    line = lines(rows, costs(rows, {}, {"bireal:w1a1": 160}, **COUNTED))["complexity"]
    r_c, r_s = 3300 / (100 + 100), 7000 / (100 + 600)
    assert line["value"] == pytest.approx(math.sqrt((r_c**2 + r_s**2) / 2)) and line["status"] == "whole"
    assert "r_c 16.50, r_s 10.00" in line["computed_from"]


def test_hardware_is_what_the_packed_network_takes():
    rows = pl.concat([*both([8], [6], ["clean"]), *both([8], [6], ["clean"], model="vgg")])
    measured = costs(rows, {}, {}, **COUNTED, packed_bytes=400, packed_ms=2.0, float_ms=6.0)
    line = lines(rows, measured)["hardware"]
    assert line["value"] == pytest.approx(math.sqrt((3**2 + 8**2) / 2)) and line["status"] == "whole"
    half = measured.with_columns(pl.when(pl.col("model") == "vgg").then(None).otherwise(pl.col(name)).alias(name)
                                 for name in ("packed_bytes", "packed_ms", "float_ms"))  # fmt: skip
    line = lines(rows, half)["hardware"]
    assert line["value"] == pytest.approx(math.sqrt((1.5**2 + 4**2) / 2)) and "packed: 1 of 2" in line["computed_from"]
    untimed = measured.with_columns(packed_ms=pl.lit(None, pl.Float64), float_ms=pl.lit(None, pl.Float64))
    line = lines(rows, untimed)["hardware"]
    assert line["value"] == pytest.approx(8) and "kernels were not built" in line["lacks"]
