"""``imagenet:DIR``: ImageNet-1k in either of its usual layouts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.data import ImageData
from bitproof.tasks.sources.files import entries, folder, is_folder, pictures, place
from bitproof.tasks.sources.folder import class_folders, from_files, read_folders

_LAYOUTS = (
    "Accepted: 1,000 folders named by synset (n01440764, …), or a flat folder of pictures with labels=FILE, "
    "whose lines are 'file,label': the file's name, then a comma or blanks, then a class index 0–999 in synset order or a synset."
)


@dataclass(frozen=True)
class ImageNet:
    """ImageNet-1k: 1,000 synset folders, or a flat folder with ``labels=FILE``; labels in synset order.

    ``labels`` has one line a picture, ``file,label`` or ``file label``: the name with or without its extension, a class index
    0–999 in synset order or a synset. Further fields are ignored, empty lines and a first line ``ImageId,…`` skipped, so Kaggle's
    ``LOC_val_solution.csv`` is read as it is. ``ILSVRC2012_validation_ground_truth.txt`` is refused: its numbers count ILSVRC ids.
    """

    where: str
    labels: str | None = None

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "ILSVRC2012 (1409.0575); class order: sorted synsets, as in torchvision and timm"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files, and hash them where they are small in all. Raises DataError naming what does not fit."""
        root, synsets = folder(self.where), _synsets()
        flat = not any(is_folder(entry) for entry in entries(root))
        if flat != (self.labels is not None):
            found = "a flat folder and no labels= were given" if flat else f"folders, so labels={self.labels!r} has no use"
            raise DataError(f"{str(root)!r}: {found}. {_LAYOUTS}")
        if self.labels is None:
            return _read_synsets(root, synsets, self.version)
        return _read_flat(root, place(self.labels), synsets, self.version)


def _synsets() -> dict[str, int]:
    from timm.data import ImageNetInfo

    return {name: label for label, name in enumerate(ImageNetInfo("imagenet-1k").label_names())}


def _read_synsets(root: Path, synsets: Mapping[str, int], version: int) -> ImageData:
    names = [path.name for path in class_folders(root)]
    foreign = next((name for name in names if name not in synsets), None)
    if foreign:
        raise DataError(f"{str(root / foreign)!r} is none of ImageNet-1k's 1,000 synsets. {_LAYOUTS}")
    missing = sorted(set(synsets) - set(names))
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise DataError(f"{str(root)!r} lacks {len(missing)} of ImageNet-1k's 1,000 classes: {shown}. {_LAYOUTS}")
    return read_folders(root, synsets, "imagenet", version)


def _read_flat(root: Path, file: Path, synsets: Mapping[str, int], version: int) -> ImageData:
    labels = _read_labels(file, synsets)
    files = []
    for entry in pictures(root):
        label = labels.pop(entry.name if entry.name in labels else Path(entry.name).stem, None)
        if label is None:
            raise DataError(f"{str(file)!r} has no line for {entry.name!r}, which lies in {str(root)!r}. {_LAYOUTS}")
        files.append((entry.name, label, entry))
    if labels:
        raise DataError(f"{str(file)!r} labels {len(labels)} files that {str(root)!r} lacks, {next(iter(labels))!r} the first.")
    return from_files(root, files, tuple(synsets), "imagenet", version)


def _read_labels(file: Path, synsets: Mapping[str, int]) -> dict[str, int]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The labels file {str(file)!r} cannot be read: {error}.") from None
    labels: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        fields = re.split(r"[,\s]+", line.strip())
        if fields == [""] or (number == 1 and fields[0] == "ImageId"):
            continue
        where = f"{str(file)!r} line {number}"
        if fields[0] in labels:
            raise DataError(f"{where} labels {fields[0]!r} a second time.")
        labels[fields[0]] = _label(fields, synsets, where)
    return labels


def _label(fields: Sequence[str], synsets: Mapping[str, int], where: str) -> int:
    if len(fields) < 2:
        raise DataError(f"{where} has one field, {fields[0]!r}; a picture's name and its label are expected. {_LAYOUTS}")
    if fields[1] in synsets:
        return synsets[fields[1]]
    if fields[1].isdecimal() and int(fields[1]) < len(synsets):
        return int(fields[1])
    raise DataError(f"{where}: {fields[1]!r} is neither one of 1,000 synsets nor a class index 0–999. {_LAYOUTS}")
