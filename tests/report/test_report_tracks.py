"""The six tracks on the page: a radar that plotly accepts, and a table that says what it rests on."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import pytest
from report_runs import fill

from bitproof.report import write
from bitproof.report.source import read
from bitproof.report.tracks import orders, tracks
from bitproof.results import Store


@pytest.fixture(scope="module")
def binarized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.create(tmp_path_factory.mktemp("tracks") / "run")
    fill(store, "folder:a", "resnet20", recipes=("float", "bireal:w1a1", "mse:w8a8"), noises=("clean", "fog:3"), samples=20)
    return store.path


def test_a_binarized_recipe_has_its_radar_and_table(binarized: Path) -> None:
    (part,) = tracks(read(binarized))
    assert part.recipe == "bireal:w1a1"
    (plot,) = part.plots
    go.Figure(plot.figure)
    ours, published = plot.figure["data"]
    assert ours["theta"] == published["theta"] and len(ours["theta"]) == 7
    shares = dict(zip(ours["theta"], ours["r"], strict=True))
    assert shares["task"] == 1 and shares["hardware"] == 0
    lines = {row[0].text: row for row in part.table.rows}
    assert "[" in lines["task"][1].text and lines["hardware"][1].text == "–" and lines["hardware"][3].text != "–"


def test_methods_are_ranked_beside_the_published_order(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "run")
    recipes = ("float", "bireal:w1a1", "bnn:w1a1")
    fill(store, "folder:a", "resnet20", recipes=recipes, noises=("clean",), samples=20)
    run = read(store.path)
    found = orders(run)
    task = {row[0].text: row for row in found.rows}["task"]
    assert {"bireal", "bnn"} <= set(task[1].text.split()) and task[2].text.endswith("of 1")
    for part in tracks(run):
        lines = {row[0].text: row for row in part.table.rows}
        assert lines["task"][5].text.endswith("of 2") and lines["hardware"][5].text == "–"
    assert "Beside the published order" in write(store.path).read_text()


def test_the_page_shows_it_and_only_where_something_is_binarized(binarized: Path, results: Path) -> None:
    assert "six tracks" in write(binarized).read_text()
    assert tracks(read(results)) == [] and not orders(read(results)).rows
