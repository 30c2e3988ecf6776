"""A run that is handed in is verified, and what was changed in it is found."""

import shutil

import polars as pl
import pytest

import bitproof as bp
from bitproof.bench import check
from bitproof.results import Store, compact


@pytest.fixture(scope="module")
def finished(grid, tmp_path_factory):
    out = tmp_path_factory.mktemp("checked") / "run"
    bp.run(grid, out)
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def states(path, **more):
    found = {}
    for each in check(path, **more):
        found[each.name] = max(found.get(each.name, ""), each.state, key=["", "ok", "skipped", "failed"].index)
    return found


def altered(path, change, **cell):
    """Rewrite one cell's rows, as somebody who knows the store would."""
    store = Store.open(path)
    part = bp.results.load(path).filter(**cell)
    store.write_cell(part["cell"][0], part.with_columns(**change))
    return part["cell"][0]


def test_an_honest_run_passes_all(finished):
    found = check(finished, cells=3)
    assert {each.name for each in found} == {"files", "rows", "figures", "ids", "complete", "samples", "again"}
    assert {each.state for each in found} == {"ok"}, found
    again = [each.said for each in found if each.name == "again"]
    assert len(again) == 3 and all("equal to the last bit" in said for said in again)
    assert check(finished, cells=3) == found


def test_other_predictions_are_found_by_computing_the_cell_again(copy):
    swapped = {
        "correct": ~pl.col("correct"),
        "margin": -pl.col("margin"),
        "prediction": pl.when("correct").then((pl.col("label") + 1) % 2).otherwise("label"),
    }
    cell = altered(copy, swapped, recipe="mse:w4a4", noise="clean")
    found = check(copy, cells=100)
    wrong = [each for each in found if each.state == "failed"]
    assert [each.name for each in wrong] == ["again"] and cell in wrong[0].said and "differ beyond rounding" in wrong[0].said


@pytest.mark.parametrize(
    ("change", "name", "part"),
    [
        ({"correct": pl.lit(True)}, "rows", "say 'correct'"),
        ({"margin": pl.lit(5.0), "correct": pl.lit(False), "prediction": pl.col("label") + 1}, "rows", "sign contradicts"),
        ({"confidence": pl.lit(1.5)}, "rows", "confidence outside"),
        ({"sample": pl.col("sample") + "x"}, "samples", "other samples"),
    ],
)
def test_rows_that_no_run_could_write_are_found(copy, change, name, part):
    altered(copy, change, recipe="fp32", noise="clean")
    wrong = [each for each in check(copy, cells=0) if each.state == "failed"]
    assert [each.name for each in wrong] == [name] and part in wrong[0].said


def test_cells_that_are_left_out_or_of_another_grid_are_found(copy):
    next((copy / "rows").iterdir()).unlink()
    assert {name for name, state in states(copy, cells=0).items() if state == "failed"} == {"complete"}
    shutil.rmtree(copy / "variants" / bp.results.variants(copy)["variant"][0])
    assert any("variants have rows and no record" in each.said for each in check(copy, cells=0))
    grid = copy / "grid.yaml"
    grid.write_text(grid.read_text().replace("batch_size: 8", "batch_size: 4"))
    assert {name for name, state in states(copy, cells=0).items() if state == "failed"} == {"complete", "ids"}


def test_a_damaged_file_a_foreign_folder_and_an_empty_run_are_found(copy, tmp_path):
    assert states(Store.create(tmp_path / "empty").path) == {"files": "failed"}
    file = next((copy / "rows").iterdir())
    file.write_bytes(file.read_bytes()[:-9])
    assert states(copy) == {"files": "failed"}
    assert states(tmp_path) == {"files": "failed"}


def test_without_weights_trained_cells_are_skipped_and_without_data_all_are(finished, tmp_path):
    path = compact(finished, tmp_path / "compact").path
    found = check(path, cells=1)
    assert [each.state for each in found if each.name == "again"] == ["ok", "skipped"] and "trained" in found[-1].said
    grid = path / "grid.yaml"
    grid.write_text(grid.read_text().replace("tasks: [", 'tasks: ["imagefolder:/no/such/folder", '))
    found = states(path)
    assert found["files"] == found["rows"] == "ok" and found["ids"] == found["again"] == "skipped"


def test_the_exit_code_tells(finished, copy):
    from typer.testing import CliRunner

    from bitproof.cli import app

    said = CliRunner().invoke(app, ["check", str(finished), "--cells", "1"])
    assert said.exit_code == 0 and "again" in said.output
    altered(copy, {"correct": pl.lit(True)}, recipe="fp32", noise="clean")
    assert CliRunner().invoke(app, ["check", str(copy), "--cells", "0", "--json"]).exit_code == 1
