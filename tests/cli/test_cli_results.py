"""``bitproof results --against`` on a committed run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitproof import analysis, results
from bitproof.cli import app

RUN = Path(__file__).parents[2] / "results" / "ptq-imagenet-sample"


def call(*arguments):
    return CliRunner().invoke(app, ["results", str(RUN), *arguments], env={"COLUMNS": "300"})


@pytest.mark.parametrize(("what", "table"), [("summary", analysis.summary), ("cells", analysis.accuracy)])
def test_the_others_are_compared_with_the_recipe_that_is_named(what, table):
    said = call("--what", what, "--against", "mse:w6a6", "--json")
    assert said.exit_code == 0, said.output
    told = {(row["recipe"], row.get("figure", row.get("noise"))): row["delta"] for row in json.loads(said.stdout)}
    for row in table(results.load(RUN), against="mse:w6a6").iter_rows(named=True):
        assert told[row["recipe"], row.get("figure", row.get("noise"))] == row["delta"]
    assert told["mse:w6a6", "clean"] is None and told["mse:w5a5", "clean"] < 0 < told["fp32", "clean"]


def test_the_title_names_it_and_mistakes_are_answered():
    assert "vs mse:w6a6" in call("--against", "mse:w6a6").output and "vs_control" in call().output
    unknown = call("--against", "mse:w6")
    assert unknown.exit_code != 0 and "Did you mean 'mse:w6a6'? The run holds" in str(unknown.exception)
    assert "compares figures" in call("--what", "variants", "--against", "mse:w6a6").output
