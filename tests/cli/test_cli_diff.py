"""``bitproof diff`` and its exit codes."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from statements_rows import planted

from bitproof.cli import app
from bitproof.results import Store


def write(path, level):
    store = Store.create(path)
    for (cell,), part in planted({"fp32": {"clean": 0.9, "fog:3": level}}, n=200, share=1.0).group_by("cell"):
        name = str(cell).replace(" ", "_").replace(":", "_")
        store.write_cell(name, part.with_columns(cell=part["cell"].str.replace_all("[ :]", "_")))
    return store.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write(folder / "a", 0.8), write(folder / "b", 0.5)


def call(*arguments):
    return CliRunner().invoke(app, ["diff", *map(str, arguments)], env={"COLUMNS": "300"})


def test_exit_codes(runs, tmp_path):
    a, b = runs
    assert call(a, a).exit_code == 0
    assert call(a, b).exit_code == 1
    assert call(b, a).exit_code == 0
    assert call(a, b, "--what", "cells", "--tolerance", 50).exit_code == 0
    assert call(a, b, "--tolerance", "-1").exit_code == 2
    assert call(a, b, "--csv", "--json").exit_code == 2
    assert "is no results directory" in str(call(a, tmp_path).exception)


def test_what_it_prints(runs):
    said = call(*runs, "--what", "cells").output
    assert "regressed" in said and "fog:3" in said and "1 regressed, 0 improved, 1 undecided, of 2 lines" in said
    lines = json.loads(call(*runs, "--what", "cells", "--json").output)
    assert all(f"{line['delta']:+.2f}" in said for line in lines if line["change"] == "regressed")
    assert {line["figure"]: line["change"] for line in lines} == {"clean": "undecided", "fog:3": "regressed"}
    assert call(*runs, "--csv").output.startswith("task,model,recipe,defense,figure,change")
