"""``bitproof bibench`` on a run with planted rows."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from bibench_rows import both, cell, costs

from bitproof.cli import app
from bitproof.core import SpecError, VariantRow
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


def test_bad_input(run, tmp_path):
    assert call(run, "--csv", "--json").exit_code == 2
    assert call(run, "--family", "cnn").exit_code == 2
    assert isinstance(call(run, "--family", "mine=rnn").exception, SpecError)
    assert "is no results directory" in str(call(tmp_path).exception)
