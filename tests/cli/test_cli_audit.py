"""``bitproof audit`` on a finished run."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from audit_nets import HardSign, Smooth, rows, suite

from bitproof.cli import app
from bitproof.results import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store.create(tmp_path_factory.mktemp("audit") / "run")
    for recipe, network in (("float", Smooth()), ("bnn:w1a1", HardSign())):
        for (cell,), part in rows(recipe, network, Smooth(), suite(0.1)[:1]).group_by("cell"):
            store.write_cell(
                str(cell).replace(" ", "_").replace(":", "_").replace("=", "_"),
                part.with_columns(cell=part["cell"].str.replace_all("[ :=]", "_")),
            )
    return store.path


def call(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)], env={"COLUMNS": "400"})


def test_it_prints_verdicts_reasons_and_what_to_run(finished):
    said = call(finished)
    assert said.exit_code == 0, said.output
    assert "masked" in said.output and "undecided" in said.output and "the gradient is zero for 100.0 %" in said.output
    assert 'Run next, as noises of the grid: ["pgd-linf:eps=0.1' in said.output and said.output.count('"pgd-linf:eps=1"') == 1


def test_every_column_as_csv_and_json(finished):
    lines = json.loads(call(finished, "--json").output)
    assert {line["recipe"]: line["verdict"] for line in lines} == {"float": "undecided", "bnn:w1a1": "masked"}
    assert call(finished, "--csv").output.startswith("task,model,recipe")


def test_what_it_cannot_do_it_says(finished, tmp_path):
    assert "-o belongs to a grid" in call(finished, "-o", tmp_path / "x").output
    grid = tmp_path / "grid.yaml"
    grid.write_text("tasks: []")
    assert "where to?" in call(grid).output
    assert "not both" in call(finished, "--csv", "--json").output
    empty = Store.create(tmp_path / "empty").path
    assert "no attack with a budget" in call(empty).output


def test_a_path_that_does_not_exist_is_named(tmp_path):
    said = call(tmp_path / "nowhere", "-o", tmp_path / "out")
    assert said.exit_code == 2 and "nowhere" in said.output and "grid file with -o DIR" in said.output
    assert not (tmp_path / "out").exists()
