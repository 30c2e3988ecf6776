"""``bitproof pareto`` on a committed run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitproof.cli import app

RUN = Path(__file__).parents[2] / "results" / "ptq-imagenet-sample"


def call(*arguments):
    return CliRunner().invoke(app, ["pareto", str(RUN), *map(str, arguments)], env={"COLUMNS": "300"})


def test_it_recommends_and_says_what_the_milliseconds_are():
    said = call("--max-mb", 6)
    assert said.exit_code == 0, said.output
    assert "Recommended: efficientnet-lite0 mse:w8a8" in said.output and "Runner-up: efficientnet-lite0 mse:w6a6" in said.output
    assert "on the same 500 pictures" in said.output and "of the simulation" in said.output and "18.61 MB" in said.output


def test_exit_codes_and_json():
    none = call("--min-clean", 99, "--json")
    assert none.exit_code == 1 and {row["choice"] for row in json.loads(none.output)} == {None}
    assert call("--csv", "--json").exit_code == 2
    assert call("--min", "nr").exit_code == 2
    assert "'nor' is not known" in str(call("--by", "nor").exception)


@pytest.mark.parametrize("figure", ["robust_worst:linf,eps=0.5/255", "worst"])
def test_any_figure_may_decide(figure):
    rows = json.loads(call("--by", figure, "--json").output)
    assert {row["by"] for row in rows} == {figure}
    assert all((row["verdict"] is not None) == figure.startswith("robust") for row in rows)
