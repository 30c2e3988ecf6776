import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from shutil import rmtree

import polars as pl
import pytest
from results_rows import files, row, rows, variant

from bitproof.core import SCHEMA, SampleRow, StoreError, VariantRow
from bitproof.results import Store, cells, imagenet, is_imagenet, load, variants
from bitproof.results.files import fingerprint

PNG = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "run")


def test_what_is_written_is_read(store):
    written = [*rows("b", margin=-1.5, severity=None, success=True, queries=7), *rows("a", 3, gradient="ste")]
    store.write_cell("b", written[:5])
    store.write_cell("a", written[5:])
    frame = load(store.path)
    assert frame.columns == [field.name for field in fields(SampleRow)]
    assert [SampleRow(**line) for line in frame.iter_rows(named=True)] == written[5:] + written[:5]
    assert store.done() == {"a", "b"}


def test_dtypes_do_not_depend_on_the_values(store):
    store.write_cell("a", rows("a", severity=None))
    store.write_cell("b", rows("b", queries=3, gradients=2, success=False))
    frame = load(store.path)
    assert frame.schema["severity"] == frame.schema["queries"] == pl.Int64
    assert frame.schema["success"] == pl.Boolean and frame.schema["margin"] == pl.Float64


def test_columns_that_an_older_version_did_not_write_are_null(store):
    store.write_cell("a", rows("a"))
    [file] = (store.path / "rows").glob("*.parquet")
    old = pl.read_parquet(file).drop("zero_exact", "zero_ste", "logit_norm", "cosine")
    file.unlink()
    data = cells.encode(old)
    (store.path / "rows" / f"a-{fingerprint(data)}.parquet").write_bytes(data)
    frame = load(store.path)
    assert frame.columns == [field.name for field in fields(SampleRow)]
    assert frame["cosine"].null_count() == frame.height == 5


def test_a_frame_is_taken_as_well_as_rows(store):
    frame = pl.DataFrame([asdict(each) for each in rows("a")]).reverse()
    store.write_cell("a", frame.select(sorted(frame.columns)))
    assert load(store.path).columns == [field.name for field in fields(SampleRow)]
    assert load(store.path)["sample"].to_list() == frame["sample"].to_list()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "no rows"),
        ([row("other")], "row of cell 'other'"),
        ([row(), row()], "'s0' twice"),
        ([row(margin=None)], "null in margin"),
        ([row(label="cat")], "wrong type"),
        ([row(seed=2**70)], "wrong type"),
        (pl.DataFrame({"cell": ["c1"]}), "lacks the columns variant"),
        (pl.DataFrame([asdict(row())]).with_columns(mood=pl.lit(1)), "unknown columns mood"),
    ],
)
def test_rows_that_are_not_a_cell_are_refused(store, bad, message):
    with pytest.raises(StoreError, match=message):
        store.write_cell("c1", bad)
    assert store.done() == set() and files(store.path) == {"store.json"}


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_an_id_that_cannot_name_a_file_is_refused(store, name):
    for write in (
        lambda: store.write_cell(name, rows(name)),
        lambda: store.write_failure(name, {}),
        lambda: store.variant_dir(name),
    ):
        with pytest.raises(StoreError, match="cannot be the id"):
            write()


def test_a_damaged_cell_counts_as_not_done(store):
    store.write_cell("a", rows("a"))
    store.write_cell("b", rows("b"))
    path = next(store.path.glob("rows/a-*"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="damaged and ignored"):
        assert store.done() == {"b"}
    with pytest.warns(UserWarning, match="damaged and ignored"):
        assert set(load(store.path)["cell"]) == {"b"}
    store.write_cell("a", rows("a"))
    assert store.done() == {"a", "b"}


def test_a_cell_written_again_replaces_its_rows_and_no_others(store):
    store.write_cell("a-b", rows("a-b"))
    store.write_cell("a", rows("a", 5))
    store.write_cell("a", rows("a", 2))
    assert load(store.path)["cell"].to_list() == ["a"] * 2 + ["a-b"] * 5
    assert len(list(store.path.glob("rows/*"))) == 2


def test_two_whole_files_of_one_cell_are_read_once(store):
    store.write_cell("a", rows("a", 2))
    first = next(store.path.glob("rows/a-*"))
    data = first.read_bytes()
    store.write_cell("a", rows("a", 3))
    first.write_bytes(data)  # as a runner that was killed before it removed the earlier file leaves it
    assert load(store.path).height in (2, 3)


def test_a_failure_is_forgotten_when_its_cell_succeeds(store):
    store.write_failure("a", {"error": "NaN logits <script>", "noise": "fog:3", "model": "m", "recipe": "fp32"})
    store.write_failure("b", {"error": "y"})
    assert [each["cell"] for each in store.failures()] == ["a", "b"]
    assert store.failures()[0]["error"] == "NaN logits <script>"
    store.write_cell("a", rows("a"))
    assert [each["cell"] for each in store.failures()] == ["b"]


def test_variants_and_reports(store):
    store.write_variant(variant("v2", recipe="fp32", latency_ms=2), {"layers": []})
    store.write_variant(variant("v1"), {"layers": [{"name": "conv1", "why": None}]})
    frame = variants(store.path)
    assert frame.columns == [field.name for field in fields(VariantRow)]
    assert frame["variant"].to_list() == ["v1", "v2"] and frame["latency_ms"].to_list() == [1.5, 2.0]
    assert list(store.reports()) == ["v1", "v2"] and store.reports()["v1"]["layers"][0]["name"] == "conv1"


def test_a_variant_without_its_row_is_not_one(store):
    (store.variant_dir("v1") / "report.json").write_text("{}")
    assert variants(store.path).is_empty() and store.reports() == {}


def test_a_variant_row_from_before_has_null_for_what_came_later(store):
    store.write_variant(variant("v1", macs=7), {})
    file = store.path / "variants" / "v1" / "row.json"
    row = json.loads(file.read_text())
    file.write_text(json.dumps({name: row[name] for name in row if name not in ("macs", "packed_ms", "training")}))
    assert variants(store.path).select("macs", "packed_ms", "recipe").row(0) == (None, None, "mse:w8a8")


def test_a_variant_row_of_other_fields_is_refused(store):
    store.write_variant(variant(), {})
    path = store.variant_dir("v1") / "row.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": 1}))
    with pytest.raises(StoreError, match="mood"):
        variants(store.path)


@pytest.mark.parametrize(
    ("file", "text"), [("row.json", "{"), ("row.json", "[]"), ("report.json", '{"layers": '), ("report.json", None)]
)
def test_a_damaged_variant_is_named_with_the_way_to_mend_it(store, file, text):
    store.write_variant(variant("v2"), {})
    folder = store.variant_dir("v1")
    store.write_variant(variant("v1"), {})
    (folder / file).unlink() if text is None else (folder / file).write_text(text)
    for read in (store.reports, lambda: variants(store.path), lambda: imagenet(store.path)):
        with pytest.raises(StoreError, match=rf"v1/{file}' .*Delete the folder '.*variants/v1' and run the same command again"):
            read()
    rmtree(folder)
    assert variants(store.path)["variant"].to_list() == ["v2"]


@pytest.mark.parametrize("name", ["rows", "variants", "failures", "gallery", "grids"])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(store, name, monkeypatch):
    (store.path / name).mkdir()
    iterdir = Path.iterdir

    def guarded(path):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", guarded)
    with pytest.raises(StoreError, match=f"{name}' cannot be read: Permission denied"):
        {
            "rows": store.done,
            "variants": store.reports,
            "failures": store.failures,
            "gallery": store.gallery,
            "grids": store.grids,
        }[name]()


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_what_is_not_json_is_refused_and_nothing_changes(store, value):
    store.write_environment({"x": 1})
    with pytest.raises(StoreError, match=r"environment\.json"):
        store.write_environment({"x": value})
    assert store.environment() == {"x": 1}


def test_the_newest_grid_counts_and_earlier_ones_stay(store):
    for text in ("a: 1\n", "a: 1\n", "a: 2  # ä\r\n", "a: 3\n"):
        store.write_grid(text)
        assert store.grid() == text
    for oldest in ("a: 1\n", "a: 2  # ä\r\n"):
        for path in store.path.glob("grids/*.yaml"):
            os.utime(path, (1, 1) if path.read_bytes().decode() == oldest else (2, 2))
        assert store.grids()[0] == oldest and len(store.grids()) == 2
    store.write_grid("a: 1\n")
    assert set(store.grids()) == {"a: 2  # ä\r\n", "a: 3\n"}, "what is asked for again is no earlier request"


def test_earlier_environments_stay(store):
    for cores in (2, 2, 4):
        store.write_environment({"cores": cores, "pair": (1, 2)})
    assert store.environment()["cores"] == 4
    assert [each["cores"] for each in store.environments()] == [2]
    next(store.path.glob("environments/*.json")).write_text("{")
    with pytest.raises(StoreError, match="environments' holds a damaged record"):
        store.environments()


def test_gallery(store):
    store.write_picture("t", "fog:3", "s1", PNG)
    store.write_picture("t", "clean", "s1", PNG)
    store.write_picture("t", "clean", "s1", PNG)
    assert [(each["task"], each["noise"], each["sample"]) for each in store.gallery()] == [
        ("t", "clean", "s1"),
        ("t", "fog:3", "s1"),
    ]
    with pytest.raises(StoreError, match="no PNG"):
        store.write_picture("t", "fog:3", "s1", b"JFIF")


def test_an_empty_directory_reads_as_empty(store):
    assert load(store.path).is_empty() and variants(store.path).is_empty()
    assert store.done() == set() and store.failures() == store.gallery() == [] and store.reports() == store.environment() == {}
    assert store.grid() == "" and store.grids() == store.environments() == []
    assert load(store.path).schema["margin"] == pl.Float64


def test_a_directory_is_made_with_its_parents_and_opened_again(tmp_path):
    Store.create(tmp_path / "a" / "b").write_cell("a", rows("a"))
    assert Store.create(tmp_path / "a" / "b").done() == {"a"}
    assert Store.open(str(tmp_path / "a" / "b")).done() == {"a"}


def test_a_readme_and_a_grid_are_welcome(tmp_path):
    (tmp_path / "README.md").write_text("why")
    (tmp_path / "grid.yaml").write_text("a: 0\n")
    Store.create(tmp_path).write_grid("a: 1\n")
    assert (tmp_path / "README.md").read_text() == "why" and len(list(tmp_path.glob("grids/*"))) == 1


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"'thesis.tex' and no 'store.json'"):
        Store.create(tmp_path)
    with pytest.raises(StoreError, match="bitproof run GRID"):
        Store.open(tmp_path)
    assert files(tmp_path) == {"thesis.tex"}


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store.create(tmp_path / "x")


@pytest.mark.parametrize("read", [Store.open, load, variants])
def test_an_absent_directory_is_an_error_that_names_it(tmp_path, read):
    with pytest.raises(StoreError, match="nowhere"):
        read(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({"schema": SCHEMA + 1}), "pip install --upgrade bitproof"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
    ],
)
def test_a_mark_that_is_newer_or_damaged_is_refused(store, text, message):
    (store.path / "store.json").write_text(text)
    for read in (Store.open, Store.create, load, variants):
        with pytest.raises(StoreError, match=message):
            read(store.path)


def test_other_columns_in_a_whole_file_are_an_error(store):
    from bitproof.results.cells import encode, fingerprint

    data = encode(pl.DataFrame({"cell": ["a"]}))
    (store.path / "rows").mkdir()
    (store.path / "rows" / f"a-{fingerprint(data)}.parquet").write_bytes(data)
    with pytest.raises(StoreError, match="other columns"):
        load(store.path)


def test_which_tasks_are_imagenet(store):
    assert all(map(is_imagenet, ["imagenet:/data", "image/imagenet:/data,labels=x"]))
    assert not any(map(is_imagenet, ["foolbox-imagenet", "parquet:/data/imagenet/x.parquet", "cifar10:/imagenet"]))
    store.write_variant(variant("v1"), {})
    store.write_variant(variant("v2", task="cifar10:/x"), {})
    assert imagenet(store.path) == {"imagenet:/data"}


def test_a_log_keeps_its_whole_lines(store):
    assert store.log() == []
    store.write_log({"cell": "a", "waiting_s": 0.5})
    with (store.path / "log.jsonl").open("ab") as file:
        file.write(b'\n{"cell": "b", "wai')  # killed here
    store.write_log({"cell": "c"})
    assert Store.open(store.path).log() == [{"cell": "a", "waiting_s": 0.5}, {"cell": "c"}]
