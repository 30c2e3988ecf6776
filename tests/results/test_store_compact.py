import polars as pl
import pytest
from polars.testing import assert_frame_equal
from results_rows import files, rows, variant

from bitproof.core import StoreError
from bitproof.results import Store, compact, load, variants
from bitproof.results.compact import SINGLE
from bitproof.results.files import write_json

PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def source(tmp_path):
    store = Store.create(tmp_path / "run")
    for cell in ("c", "a", "b"):
        store.write_cell(cell, rows(cell))
    store.write_failure("d", {"error": "x"})
    store.write_variant(variant(), {"layers": [1]})
    store.write_picture("t", "fog:3", "s1", PNG)
    for text in ("a: 0\n", "a: 1\n"):
        store.write_grid(text)
        store.write_environment({"cpu": text})
    return store


def same(a, b):
    assert_frame_equal(load(a.path), load(b.path), rel_tol=2**-24, abs_tol=0)
    assert variants(a.path).equals(variants(b.path))
    assert a.done() == b.done() and a.failures() == b.failures() and a.reports() == b.reports()
    assert a.grid() == b.grid() and a.environment() == b.environment()
    assert a.grids() == b.grids() == ["a: 0\n"] and a.environments() == b.environments() == [{"cpu": "a: 0\n"}]


def test_the_compact_form_reads_the_same(source, tmp_path):
    copy = compact(source.path, tmp_path / "small")
    same(source, copy)
    assert copy.gallery() == source.gallery()
    assert files(copy.path) == {
        *("store.json", "rows.parquet", "variants.json", "failures.json", "gallery.json"),
        *("grid.yaml", "grids.json", "environment.json", "environments.json"),
    }


def test_an_answers_figures_are_rounded_to_float32_and_nothing_else(source, tmp_path):
    told = load(source.path)
    kept = load(compact(source.path, tmp_path / "small").path)
    assert kept.drop(SINGLE).equals(told.drop(SINGLE))
    assert kept.select(SINGLE).equals(told.select(pl.col(SINGLE).cast(pl.Float32).cast(pl.Float64)))


def test_pictures_can_stay_behind(source, tmp_path):
    copy = compact(source.path, tmp_path / "small", pictures=False)
    same(source, copy)
    assert copy.gallery() == []


def test_a_compact_form_is_replaced_keeps_its_readme_and_can_be_compacted(source, tmp_path):
    copy = compact(source.path, tmp_path / "small")
    (copy.path / "README.md").write_text("why")
    write_json(copy.path / "judgement.json", {"judge": "of another run"})
    source.write_cell("e", rows("e"))
    same(source, compact(source.path, copy.path))
    same(source, compact(copy.path, tmp_path / "smaller"))
    assert (copy.path / "README.md").read_text() == "why" and copy.judgement() == {}


def test_a_run_goes_on_in_a_compact_form(source, tmp_path):
    copy = compact(source.path, tmp_path / "small")
    copy.write_cell("d", rows("d"))
    copy.write_cell("a", rows("a", 2))
    assert copy.done() == {"a", "b", "c", "d"} and copy.failures() == []
    assert load(copy.path).group_by("cell").len().sort("cell")["len"].to_list() == [2, 5, 5, 5]


def test_a_working_directory_is_not_overwritten(source, tmp_path):
    with pytest.raises(StoreError, match="runs write to"):
        compact(source.path, source.path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        compact(source.path, tmp_path / "other")


def test_damaged_rows_are_an_error(source, tmp_path):
    copy = compact(source.path, tmp_path / "small")
    path = copy.path / "rows.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="damaged"):
        load(copy.path)
    path.unlink()
    with pytest.raises(StoreError, match=r"rows\.parquet"):
        load(copy.path)
