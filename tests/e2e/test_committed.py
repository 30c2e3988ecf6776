"""The runs in results/ are whole, and say what their README says they are."""

from pathlib import Path

import pytest

import bitproof as bp
from bitproof.bench import parse_grids

RUNS = sorted(path.parent for path in (Path(__file__).parents[2] / "results").glob("*/store.json"))


def test_there_are_runs():
    assert {
        "audit-cifar10",
        "kws",
        "noise-imagenet-sample",
        "patch-cifar10",
        "patch-imagenet-sample",
        "ptq-imagenet-sample",
        "qat-cifar10",
        "text-glue",
    } <= {run.name for run in RUNS}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_committed_run_is_whole(run):
    rows, store = bp.results.load(run), bp.results.Store.open(run)
    assert store.failures() == []
    assert parse_grids(store.grid())
    assert set(rows["variant"]) <= set(bp.results.variants(run)["variant"])  # a teacher may have no rows
    clean = bp.analysis.accuracy(rows).filter(noise="clean", defense="none")
    assert clean.height == rows.select("task", "model", "recipe").n_unique()  # seeds are pooled
    assert (run / "README.md").read_text().count("bitproof run") >= 1
