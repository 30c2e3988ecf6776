"""``cifar10`` through torchvision, on a forgery with its own checksums; the network is never used."""

import hashlib
import pickle
from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets
from torchvision.datasets import cifar

from bitproof.core import DataError
from bitproof.noises import noise
from bitproof.tasks import load

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32)).astype(np.uint8)


@pytest.fixture
def forged(tmp_path, monkeypatch):
    base = tmp_path / datasets.CIFAR10.base_folder
    base.mkdir()
    files = {}
    for name, pixels in (("train", PIXELS), ("test", PIXELS[:4])):
        content = pickle.dumps({"data": pixels.reshape(-1, 3072), "labels": [i % 10 for i in range(len(pixels))]})
        files[name] = (base / name, content)
    files["meta"] = (base / "meta", pickle.dumps({"label_names": [f"class {i}" for i in range(10)]}))
    sums = {}
    for name, (path, content) in files.items():
        path.write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "meta", "key": "label_names", "md5": sums["meta"]})
    return tmp_path


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(cifar, "download_and_extract_archive", refuse)


@pytest.mark.parametrize(("split", "count"), [("train", 10), ("test", 4)])
def test_pixels_come_back_through_png(forged, split, count):
    data = load(f"cifar10:{forged},split={split}").data
    assert (len(data), data.classes, data.names[3]) == (count, 10, "class 3")
    assert data.samples[1].id == f"{split}/00001"
    for i, sample in enumerate(data.samples):
        assert sample.label == i % 10
        np.testing.assert_array_equal(noise("decode-pil")(sample.read()), PIXELS[i].transpose(1, 2, 0))


def test_the_test_split_is_the_default(forged):
    assert load(f"cifar10:{forged}").data.digest == load(f"cifar10:{forged},split=test").data.digest
    assert load(f"cifar10:{forged}").data.digest != load(f"cifar10:{forged},split=train").data.digest


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_without_files_or_network_the_message_says_what_to_do(tmp_path, name):
    url = rf"https://.*{name[5:]}-python\.tar\.gz"
    with pytest.raises(DataError, match=rf"does not hold {name} .*no network.*Download {url} yourself"):
        load(f"{name}:{tmp_path}")


def test_a_damaged_file_is_not_read(forged):
    (forged / datasets.CIFAR10.base_folder / "test").write_bytes(b"damaged")
    with pytest.raises(DataError, match="does not hold cifar10"):
        load(f"cifar10:{forged}")
