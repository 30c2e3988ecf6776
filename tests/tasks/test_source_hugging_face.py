"""Data sets of Hugging Face from folders give the bytes that were put in, and their labels, names and complaints."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from bitproof.core import DataError
from bitproof.tasks import load
from bitproof.tasks.sources import hugging_face

datasets = pytest.importorskip("datasets", reason="datasets is not installed")


def jpeg(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def made(n=6, **columns):
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "owl"])}
    features |= {name: datasets.Value("string" if isinstance(values[0], str) else "int64") for name, values in columns.items()}
    rows = {"image": [{"bytes": jpeg(i), "path": None} for i in range(n)], "label": [i % 3 for i in range(n)], **columns}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def facts(data):
    return [(sample.id, sample.label, sample.read()) for sample in data.samples]


EXPECTED = [(f"row{i}", i % 3, jpeg(i)) for i in range(6)]


@pytest.mark.parametrize("form", ["dataset", "dict", "shuffled back", "parquet"])
def test_a_folder_gives_what_was_put_in(tmp_path, form):
    data, where = made(), tmp_path / "data"
    if form == "dict":
        datasets.DatasetDict({"train": made(3), "test": data}).save_to_disk(where)
    elif form == "parquet":
        (where / "data").mkdir(parents=True)
        data.to_parquet(where / "data" / "test-00000-of-00001.parquet")
    else:
        order = [3, 1, 5, 0, 4, 2]
        data = data.select(order).select([order.index(i) for i in range(6)]) if form == "shuffled back" else data
        data.save_to_disk(where)
    found = load(f"hf:{where}").data
    assert facts(found) == EXPECTED
    assert (found.classes, found.names) == (3, ("cat", "dog", "owl"))
    assert found.digest == load(f"hf:{where}").data.digest


def test_equal_data_has_one_digest_however_it_is_kept(tmp_path):
    made().save_to_disk(tmp_path / "a")
    (tmp_path / "b").mkdir()
    made().to_parquet(tmp_path / "b" / "test.parquet")
    made().select([1, 0, 2, 3, 4, 5]).save_to_disk(tmp_path / "c")
    a, b, c = (load(f"hf:{tmp_path / name}").data.digest for name in "abc")
    assert a == b != c


def test_columns_are_asked_for_by_name(tmp_path):
    made(file=[f"f{i}.jpg" for i in range(6)], fine=list(range(6))).rename_column("image", "img").save_to_disk(tmp_path / "data")
    data = load(f"hf:{tmp_path / 'data'},id=file,label=fine,classes=10").data
    assert [(s.id, s.label) for s in data.samples] == [(f"f{i}.jpg", i) for i in range(6)]
    assert data.classes == 10 and data.names == ()
    for setting, message in {
        "image=label": "no column 'label' of pictures",
        "label=nope": "fine",
        "id=nope": "no column 'nope'",
    }.items():
        with pytest.raises(DataError, match=message):
            load(f"hf:{tmp_path / 'data'},{setting}")


def test_what_cannot_be_opened_is_said(tmp_path):
    made().save_to_disk(tmp_path / "data")
    with pytest.raises(DataError, match="without splits"):
        load(f"hf:{tmp_path / 'data'},split=validation")
    datasets.DatasetDict({"train": made(3)}).save_to_disk(tmp_path / "dict")
    datasets.DatasetDict({"test": made(3)}).save_to_disk(tmp_path / "splits")
    with pytest.raises(DataError, match=r"splits and no configurations. Leave config= out"):
        load(f"hf:{tmp_path / 'splits'},config=nonsense")
    (tmp_path / "data" / "state.json").write_text("{")
    (tmp_path / "empty").mkdir()
    for where in ("data", "dict", "empty"):
        with pytest.raises(DataError, match=where):
            load(f"hf:{tmp_path / where}")
    with pytest.raises(DataError, match="Without a network name a folder"):
        load("hf:nobody/nothing-of-this-name")


def test_pictures_in_files_are_not_read_before_they_are_asked_for(tmp_path, monkeypatch):
    """The usual form of a folder of pictures: a row names a file, and holds no bytes."""
    folder = tmp_path / "data" / "test"
    for i in range(6):
        (folder / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        (folder / f"class{i % 2}" / f"{i}.jpg").write_bytes(jpeg(i))
    whole = load(f"hf:{tmp_path / 'data'}").data
    assert sorted(sample.read() for sample in whole.samples) == sorted(jpeg(i) for i in range(6))
    monkeypatch.setattr(hugging_face, "WHOLE_BYTES", 5 * len(jpeg(0)))
    read = []
    monkeypatch.setattr(hugging_face, "FileBytes", read.append)
    large = load(f"hf:{tmp_path / 'data'}").data
    assert read == [] and large.digest != whole.digest
    (folder / "class0" / "0.jpg").write_bytes(jpeg(0) + b"more")
    assert load(f"hf:{tmp_path / 'data'}").data.digest != large.digest


def test_a_picture_whose_file_is_gone_is_one_message(tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(3)]
    data = datasets.Dataset.from_dict({"image": paths}).cast_column("image", datasets.Image())
    encoded = hugging_face._Encoded(hugging_face._undecoded(data, "image"), "image", "here")
    with pytest.raises(DataError, match=r"0\.jpg' cannot be read: No such file"):
        list(encoded.sizes())


def test_a_script_is_not_run(tmp_path):
    (tmp_path / "data").mkdir()
    mark = tmp_path / "ran"
    (tmp_path / "data" / "data.py").write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(DataError):
        load(f"hf:{tmp_path / 'data'}")
    assert not mark.exists()


def test_memory_stays_flat_over_a_long_source(tmp_path):
    """1,500 pictures of 20 kB, 30 MB in all, memory-mapped: Python holds their list and one picture."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = ({"image": {"bytes": bytes(20_000), "path": None}, "label": 1} for _ in range(1500))
    datasets.Dataset.from_list(list(rows), features=features).save_to_disk(tmp_path / "data")
    data = load(f"hf:{tmp_path / 'data'}").data
    data.samples[0].read()
    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    for sample in data.samples:
        sample.read()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - held < 300_000 and peak - held < 2_000_000
