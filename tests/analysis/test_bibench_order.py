"""The order of methods beside the published one: planted orders, ties within the reading error, scipy as the oracle."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bibench_rows import cell

from bitproof.analysis import bibench
from bitproof.analysis.bibench.order import order
from bitproof.analysis.bibench.radar import radar
from bitproof.analysis.bibench.settings import hyper
from bitproof.results.schema import VARIANTS

NOTHING = pl.DataFrame(schema=VARIANTS)
EIGHT = ("bnn", "xnor", "dorefa", "bireal", "xnorpp", "reactnet", "recu", "fda")


def test_tau_b_is_scipys_where_readings_lie_apart_or_are_equal():
    scipy = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, readings = rng.integers(0, 6, 8) / 10, rng.integers(0, 6, 8) / 10
        assert order(values, readings).tau_b == pytest.approx(scipy.kendalltau(values, readings).statistic)


def test_readings_within_twice_their_error_are_ties():
    found = order([0.4, 0.3, 0.2, 0.1], [0.86, 0.80, 0.79, 0.50])  # 0.86 and 0.80 tie, 0.80 and 0.79 too, 0.86 and 0.79 do not
    assert found.ranks == (1, 2, 3, 4) and found.published == (1, 1, 2, 4)
    assert (found.apart, found.agree) == (4, 4) and found.tau_b == pytest.approx(4 / (6 * 4) ** 0.5)
    turned = order([0.1, 0.2, 0.3, 0.4], [0.86, 0.80, 0.79, 0.50])
    assert (turned.apart, turned.agree) == (4, 0) and turned.tau_b == pytest.approx(-found.tau_b)


def test_what_the_figure_does_not_tell_apart_has_no_correlation():
    found = order([3.0, 2.0, 2.0], [0.83, 0.84, 0.86])
    assert found.ranks == (1, 2, 2) and found.published == (1, 1, 1) and found.tau_b is None and found.apart == 0
    assert order([1.0, 1.0], [0.2, 0.9]).tau_b is None


def planted(right, **where):
    return [cell("float", 100, 100, **where), *(cell(f"{name}:w1a1", hits, 100, **where) for name, hits in right.items())]


def track(rows, name="task"):
    return {line["recipe"]: line for line in bibench(pl.concat(rows), NOTHING).filter(track=name).iter_rows(named=True)}


def test_a_run_in_the_published_order_agrees_in_every_pair():
    found = track(planted({name: round(100 * radar(name, "task")) for name in EIGHT}))
    line = found["bnn:w1a1"]
    assert (line["rank"], line["radar_rank"], line["ranked"]) == (8, 7, 8)  # 0.78 of xnorpp is within 0.06 of 0.74
    assert line["order"] == "bireal = reactnet = recu > fda > dorefa > xnor > xnorpp > bnn"
    apart = sum(abs(radar(a, "task") - radar(b, "task")) > 0.0601 for i, a in enumerate(EIGHT) for b in EIGHT[:i])
    assert line["pairs_agree"] == line["pairs_apart"] == apart and 0.5 < line["tau_b"] < 1
    turned = track(planted({name: round(150 - 100 * radar(name, "task")) for name in EIGHT}))["bnn:w1a1"]
    assert turned["rank"] == 1 and turned["pairs_agree"] == 0 and turned["tau_b"] == pytest.approx(-line["tau_b"])


def test_only_what_stands_at_the_same_places_is_ordered():
    rows = planted({"bnn": 50, "xnor": 60, "recu": 70, "mine": 90}) + planted({"bnn": 99}, task="parquet:b")
    found = track(rows)
    assert found["xnor:w1a1"]["order"] == "recu > xnor" and found["recu:w1a1"]["rank"] == 1
    assert {name: line["rank"] for name, line in found.items()} == {
        "bnn:w1a1": None,  # over more tasks than the others
        "mine:w1a1": None,  # not in the figure
        "recu:w1a1": 1,
        "xnor:w1a1": 2,
    }
    missing = track(rows, "hardware")["recu:w1a1"]
    assert missing["value"] is None and missing["rank"] is None and missing["order"] is None


def test_detectors_are_places_of_the_learning_tasks_alone():
    detector = {"task": "coco:here", "model": "ssd", "recipe": "xnor:w1a1", "of": "boxes", "n": 3, "ap_float": 40.0, "ap": 4.0}
    lines = bibench(pl.concat(planted({"bnn": 50, "xnor": 60})), NOTHING, None, pl.DataFrame([detector]))
    ranks = {(line["recipe"], line["track"]): line["rank"] for line in lines.iter_rows(named=True)}
    assert ranks["xnor:w1a1", "task"] is ranks["bnn:w1a1", "task"] is None
    assert ranks["xnor:w1a1", "architecture"] == 1
    both = [detector, detector | {"recipe": "bnn:w1a1", "ap": 20.0}]
    lines = bibench(pl.concat(planted({"bnn": 50, "xnor": 60})), NOTHING, None, pl.DataFrame(both)).filter(track="task")
    assert lines["order"].unique().to_list() == ["bnn > xnor"]


def test_recipes_of_one_method_are_named_in_full():
    rows = [*planted({"bnn": 50}), cell("bnn:w1a1,first=same", 60, 100)]
    line = track(rows)["bnn:w1a1"]
    assert line["order"] == "bnn:w1a1,first=same > bnn:w1a1" and line["pairs_apart"] == 0


def test_milestones_and_their_factor_are_settings_of_a_training():
    text = "version=1,decay=0.2,decay_norm=False,epochs=2,milestones=1.0;1.5,schedule=step"
    assert hyper(text) == "decay=0.2,epochs=2,milestones=1.0;1.5,schedule=step"
