"""``bitproof findings`` on a committed run."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitproof.cli import app

RUN = Path(__file__).parents[2] / "results" / "ptq-imagenet-sample"


def call(*arguments):
    return CliRunner().invoke(app, ["findings", *map(str, arguments)], env={"COLUMNS": "400"})


@pytest.fixture(scope="module")
def said():
    return {arguments: call(RUN, *arguments) for arguments in [(), ("--json",), ("--what", "comparisons", "--csv")]}


def test_it_prints_a_word_a_statement_and_what_is_missing(said):
    text = said[()].output
    assert said[()].exit_code == 0, text
    assert "supported" in text and "contradicted" in text and "needs: the recipe pact:w2a2" in text and "(Holm)" in text


def test_every_column_as_json_and_csv(said):
    lines = {line["id"]: line for line in json.loads(said["--json",].output)}
    assert lines["F4"]["status"] == "supported" and lines["F1"]["verdict"] == "undecided" and lines["F3"]["source"]
    table = list(csv.DictReader(io.StringIO(said["--what", "comparisons", "--csv"].output)))
    assert {line["id"] for line in table} >= {"F1", "F3", "F4", "F5", "F6", "F7", "F8"}


def test_bad_input(tmp_path):
    assert call(RUN, "--csv", "--json").exit_code == 2
    done = call(tmp_path)
    assert done.exit_code != 0 and "is no results directory" in str(done.exception)
