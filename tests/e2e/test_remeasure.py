"""``bitproof remeasure``: latency of finished networks once more, and nothing else."""

import json

import pytest
from test_run_one_bit import GRID, MODEL
from typer.testing import CliRunner

import bitproof as bp
from bitproof.cli import app
from bitproof.kernels import REFERENCE, chosen

TIMES = {"latency_ms", "packed_ms", "float_ms"}


@pytest.fixture
def run(pictures, more, tmp_path):
    model = tmp_path / "net.py"
    model.write_text(MODEL)
    grid = GRID.format(pictures=pictures, more=more, model=model, recipes='float, "bnn:w1a1"')
    bp.run(grid.replace("epochs: 16, two_stage: 8", "epochs: 2, two_stage: 1"), tmp_path / "run")
    return tmp_path / "run"


def rows(run):
    return {path.parent.name: json.loads(path.read_text()) for path in run.glob("variants/*/row.json")}


def test_times_are_measured_again_and_all_else_stays(run):
    before, cells = rows(run), {path: path.read_bytes() for path in run.glob("rows/*")}
    for name, row in before.items():  # as a machine without a compiler leaves them
        (run / "variants" / name / "row.json").write_text(
            json.dumps(row | {"packed_ms": None, "float_ms": None, "latency_ms": 1e9})
        )
    said = CliRunner().invoke(app, ["remeasure", str(run)])
    assert said.exit_code == 0, said.output
    assert "2 networks measured" in said.output and "bnn:w1a1 seed 0: 1000000000.00 ms →" in said.output
    after = rows(run)
    for name, row in after.items():
        assert {key for key in row if row[key] != before[name][key]} <= TIMES and row["latency_ms"] < 1e8
        timed = row["recipe"] == "bnn:w1a1" and chosen() != REFERENCE
        assert (row["packed_ms"] is not None) == (row["float_ms"] is not None) == timed
    assert cells == {path: path.read_bytes() for path in run.glob("rows/*")}


def test_a_compact_form_has_no_networks(run, tmp_path):
    small = bp.results.compact(run, tmp_path / "small").path
    assert "holds no network to measure" in str(CliRunner().invoke(app, ["remeasure", str(small)]).exception)
