"""``cifar10:DIR`` and ``cifar100:DIR``: the lossless pictures, through torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError, SpecError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import PngBytes, place


@dataclass(frozen=True)
class _Cifar:
    where: str
    split: str = "test"

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; torchvision.datasets"
    version: ClassVar[int] = 1
    name: ClassVar[str]

    def __post_init__(self) -> None:
        if self.split not in ("train", "test"):
            raise SpecError(f"{self.name} has no split {self.split!r}: write split=train or split=test.")

    def load(self) -> ImageData:
        """Read the pictures (150 MB of memory for 50,000), downloaded into the folder where they are absent. Raises DataError."""
        root = place(self.where)
        data = _open(self.name, root, self.split)
        samples = tuple(
            Sample(f"{self.split}/{i:05d}", int(label), PngBytes(image))
            for i, (image, label) in enumerate(zip(data.data, data.targets, strict=True))
        )
        rows = ((sample.id, sample.label, 0) for sample in samples)
        # torchvision has compared the files with their published MD5 sums, so the pixels need no digest of their own.
        digest = fingerprint(self.name, self.version, rows)
        return ImageData(f"{root} ({self.name}, {self.split})", samples, digest, len(data.classes), tuple(data.classes))


@dataclass(frozen=True)
class Cifar10(_Cifar):
    """CIFAR-10 (60,000 pictures of 32×32, 10 classes), re-encoded as PNG; ``split`` is test or train."""

    name: ClassVar[str] = "cifar10"


@dataclass(frozen=True)
class Cifar100(_Cifar):
    """CIFAR-100 (60,000 pictures of 32×32, 100 classes), re-encoded as PNG; ``split`` is test or train."""

    name: ClassVar[str] = "cifar100"


def _open(name: str, root: Path, split: str) -> Any:
    from torchvision import datasets

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        return kind(root, train=split == "train")
    except RuntimeError:  # how torchvision says that the files are absent or differ from their checksums
        pass
    try:
        return kind(root, train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{str(root)!r} does not hold {name} and it could not be downloaded ({error}). Download {kind.url} yourself, "
            f"unpack it there, so that {str(root / kind.base_folder)!r} exists, and try again."
        ) from None
