"""``bitproof bibench`` on a run with planted rows."""

import csv
import io
import json
import math
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from bibench_rows import both, cell, costs

from bitproof.cli import app
from bitproof.core import SpecError, StoreError, VariantRow
from bitproof.results import Store


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store.create(tmp_path_factory.mktemp("bibench") / "run")
    for rows in both([8, 6], [6, 2], ["clean", "fog:3"], model="mine"):
        store.write_cell(rows["cell"][0], rows)
        for row in costs(rows, {"float": 30.0, "bireal:w1a1": 40.0}, {"bireal:w1a1": 160}).iter_rows(named=True):
            store.write_variant(VariantRow(**row), {})
    return store.path


def call(*arguments):
    return CliRunner().invoke(app, ["bibench", *map(str, arguments)], env={"COLUMNS": "400"})


def test_it_prints_six_tracks_and_how_to_read_them(run):
    said = call(run)
    assert said.exit_code == 0, said.output
    words = (
        "task",
        "architecture",
        "robustness",
        "training",
        "complexity",
        "hardware",
        "0.750 [",
        "never values",
        "--family MODEL",
    )
    assert all(word in said.output for word in words)


def test_two_methods_are_ranked_beside_the_published_order(tmp_path, run):
    assert "Beside the published order" not in call(run).output  # one method has no order
    store = Store.create(tmp_path / "run")
    for rows in [cell("float", 8), cell("bnn:w1a1", 6), cell("bireal:w1a1", 4)]:
        store.write_cell(rows["cell"][0], rows)
        for row in costs(rows, {}, {}).iter_rows(named=True):
            store.write_variant(VariantRow(**row), {})
    said = call(store.path)
    assert "1 of 2" in said.output and "bnn > bireal" in said.output and "0 of 1 that the figure tells apart" in said.output
    lines = [line for line in json.loads(call(store.path, "--json").output) if line["track"] == "task"]
    assert {line["method"]: (line["rank"], line["radar_rank"], line["tau_b"]) for line in lines} == {
        "bireal": (2, 1, -1.0),
        "bnn": (1, 2, -1.0),
    }


def test_every_column_as_json_and_csv(run):
    tracks = {line["track"]: line for line in json.loads(call(run, run, "--family", "mine=cnn", "--json").output)}
    assert tracks["architecture"]["value"] == pytest.approx(0.75) and tracks["complexity"]["value"] == pytest.approx(20)
    table = list(csv.DictReader(io.StringIO(call(run, "--csv").output)))
    assert [line["track"] for line in table] == list(tracks) and table[0]["formula"]


def precision(folder, recipe="bireal:w1a1", full=40.0, low=10.0, **more):
    folder.mkdir(parents=True, exist_ok=True)
    rows = {key: [{"of": of, "ap": ap} for of in ("boxes", "masks")] for key, ap in (("full", full), ("low", low))}
    said = {"model": f"torchvision/{folder.name}", "recipe": recipe, "data": "coco:here", "n": 7, "left_out": 0, **rows, **more}
    (folder / "precision.json").write_text(json.dumps(said))
    return folder


def track(*arguments):
    return next(line for line in json.loads(call(*arguments, "--json").output) if line["track"] == "task")


def test_detectors_are_one_data_set_of_the_task_track(run, tmp_path):
    alone = track(run)
    one, two = precision(tmp_path / "one"), precision(tmp_path / "two", full=20.0, low=8.0)
    other = precision(tmp_path / "other", "bnn:w1a1"), precision(tmp_path / "eight", "mse:w8a8")
    found = track(run, one, two, *other)
    assert found["value"] == pytest.approx(math.sqrt((alone["value"] ** 2 + (0.25 / 2 + 0.4 / 2) ** 2) / 2))
    assert "detection 0.325" in found["computed_from"] and "AP of boxes" in found["computed_from"] and found["n"] == 7
    assert (
        found["low"] is found["high"] is None
        and "no interval" in found["lacks"]
        and "calibrated" in found["lacks"]
        and found["status"] == "part"
    )
    assert "2 of BiBench's 9 data sets" in found["lacks"]
    lines = json.loads(call(run, *other, "--json").output)
    assert [line["value"] for line in lines if (line["recipe"], line["track"]) == ("bnn:w1a1", "task")] == [pytest.approx(0.25)]
    nothing = track(run, precision(tmp_path / "blind", full=0.0, low=0.0))
    assert nothing["value"] == alone["value"] and "detection (torchvision/blind)" in nothing["lacks"]


def test_a_detector_without_a_run_and_files_that_say_too_little(run, tmp_path):
    assert "Name a run beside it" in str(call(precision(tmp_path / "one")).exception)
    path = precision(tmp_path / "old", model=None)
    for text in (
        "{",
        '{"n": 3, "full": [], "low": []}',
        "[]",
        '{"n": "x", "model": 1, "recipe": 2, "data": 3, "full": [3], "low": [4]}',
    ):
        (path / "precision.json").write_text(text)
        found = call(run, path).exception
        assert isinstance(found, StoreError) and "make it anew" in str(found), text


def test_bad_input(run, tmp_path):
    assert call(run, "--csv", "--json").exit_code == 2
    assert call(run, "--family", "cnn").exit_code == 2
    assert isinstance(call(run, "--family", "mine=rnn").exception, SpecError)
    assert "is no results directory" in str(call(tmp_path).exception)
