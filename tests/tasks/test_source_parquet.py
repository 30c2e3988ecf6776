"""``parquet``: rows in, samples out, in whole files and in batches."""

import os
from pathlib import Path

import polars as pl
import pytest

from bitproof.core import DataError
from bitproof.tasks import load
from bitproof.tasks.sources import parquet


def write(path, **columns):
    pl.DataFrame(columns).write_parquet(path, row_group_size=3)
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "a.parquet", image=[bytes([i]) * (i + 1) for i in range(10)], label=list(range(10)))


def test_rows_become_samples(file):
    data = load(f"parquet:{file},classes=10").data
    assert data.classes == 10
    assert [(s.id, s.label, s.read()) for s in data.samples] == [(f"row{i}", i, bytes([i]) * (i + 1)) for i in range(10)]


def test_large_files_are_read_in_batches(file, monkeypatch):
    monkeypatch.setattr(parquet, "WHOLE_BYTES", 0)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 4)
    parquet._batch.cache_clear()
    monkeypatch.setattr(parquet, "_TAIL_BYTES", 64)
    data = load(f"parquet:{file}").data
    assert parquet._batch.cache_info().misses == 0, "loading reads no picture"
    assert [data.samples[i].read() for i in (9, 0, 5)] == [bytes([i]) * (i + 1) for i in (9, 0, 5)]
    assert parquet._batch.cache_info().misses == 3
    assert [s.read()[0] for s in data.samples] == list(range(10))


def test_ids_come_from_the_file_column_and_are_unique(tmp_path):
    path = write(tmp_path / "a.parquet", image=[b"x"] * 4, label=[0, 1, 0, 1], file=["a", "b", "a", "c"])
    assert [sample.id for sample in load(f"parquet:{path}").data.samples] == ["a#0", "b", "a#2", "c"]


def test_hugging_faces_struct_is_read(tmp_path):
    images = [{"bytes": b"one", "path": "1.jpg"}, {"bytes": b"two", "path": "2.jpg"}]
    data = load(f"parquet:{write(tmp_path / 'a.parquet', image=images, label=[0, 1])}").data
    assert [sample.read() for sample in data.samples] == [b"one", b"two"]


def test_the_digest_follows_labels_and_pictures(tmp_path, file):
    digest = load(f"parquet:{file}").data.digest
    images = [bytes([i]) * (i + 1) for i in range(10)]
    labels = list(range(10))

    def digest_of(name, image, label):
        return load(f"parquet:{write(tmp_path / name, image=image, label=label)}").data.digest

    assert digest_of("same.parquet", images, labels) == digest
    assert digest_of("labels.parquet", images, labels[::-1]) != digest
    assert digest_of("pictures.parquet", [b"\x07", *images[1:]], labels) != digest


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"picture": [b"x"], "label": [0]}, r"has the columns picture \(Binary\), label \(Int64\); needed are image"),
        ({"image": [b"x"]}, r"needed are image .*label"),
        ({"image": ["x"], "label": [0]}, r"image \(String\)"),
        ({"image": [b"x"], "label": ["cat"]}, r"label \(String\)"),
        ({"image": [b"x"], "label": [0.5]}, r"label \(Float64\)"),
        ({"image": [b"x"], "label": [0], "file": [3]}, r"file \(Int64\)"),
        ({"image": [b"x", None], "label": [0, 0]}, "row 1: image is empty"),
        ({"image": [b"x", b"y", b"z"], "label": [0, 0, None]}, "row 2: label is empty"),
        ({"image": [b"x", b"y"], "label": [0, 0], "file": ["a", None]}, "row 1: file is empty"),
        ({"image": [b"x", b"y"], "label": [0, 3]}, None),
    ],
)
def test_columns_and_rows_that_do_not_fit_are_named(tmp_path, columns, message):
    path = write(tmp_path / "a.parquet", **columns)
    with pytest.raises(DataError, match=message or r"'row1' has the label 3, but .* declares 2 classes"):
        load(f"parquet:{path}" + ("" if message else ",classes=2"))


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(DataError, match="no readable Parquet file"):
        load(f"parquet:{tmp_path / 'absent.parquet'}")
    (tmp_path / "text.parquet").write_text("no parquet at all")
    with pytest.raises(DataError, match="no readable Parquet file"):
        load(f"parquet:{tmp_path / 'text.parquet'}")
    empty = pl.DataFrame({"image": [], "label": []}, schema={"image": pl.Binary, "label": pl.Int64})
    empty.write_parquet(tmp_path / "empty.parquet")
    with pytest.raises(DataError, match="holds no pictures"):
        load(f"parquet:{tmp_path / 'empty.parquet'}")


@pytest.mark.parametrize("column", ["label", "file", "image"])
def test_a_damaged_page_is_refused(tmp_path, column):
    path = tmp_path / "a.parquet"
    images, files = [f"<image {i}>".encode() for i in range(9)], [f"<file {i}>" for i in range(9)]
    pl.DataFrame({"label": range(9), "file": files, "image": images}).write_parquet(path, compression="zstd", statistics=False)
    data = bytearray(path.read_bytes())
    pages = [i for i in range(len(data)) if data[i : i + 4] == b"\x28\xb5\x2f\xfd"]  # where zstd frames begin
    start = pages[["label", "file", "image"].index(column)]
    data[start : start + 12] = bytes(12)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.parquet' (is damaged|can no longer be read): "):
        load(f"parquet:{path}").data.samples[0].read()


def test_a_file_that_changes_while_in_use_is_refused(file, tmp_path):
    sample = load(f"parquet:{file}").data.samples[0]
    write(file, image=[b"new"] * 10, label=list(range(10)))
    os.utime(file, ns=(1, 1))
    with pytest.raises(DataError, match="was changed while it was in use"):
        sample.read()
    file.unlink()
    with pytest.raises(DataError, match="can no longer be read"):
        sample.read()


def test_real_pictures(record_property):
    path = Path(os.environ.get("BITPROOF_DATA", ""), "imagenet-sample-500.parquet")
    if not path.is_file():
        pytest.skip("$BITPROOF_DATA has no imagenet-sample-500.parquet")
    data = load("parquet:$BITPROOF_DATA/imagenet-sample-500.parquet").data
    assert len(data) == 500
    data.check_classes(1000)
    assert all(sample.read()[:2] == b"\xff\xd8" for sample in data.samples)
    assert data.samples[0].id == "n01440764_tench.JPEG"
