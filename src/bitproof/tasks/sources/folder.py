"""``imagefolder:DIR``: a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import FileBytes, entries, folder, pictures


@dataclass(frozen=True)
class ImageFolder:
    """Pictures in one folder a class; classes are the folders' names, sorted.

    Hidden files are ignored. Refused with its name: a file beside the class folders, a file in them that is no picture, a
    folder inside one, and a class without pictures. Ids are paths below the folder.
    """

    where: str

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "the layout of torchvision.datasets.ImageFolder"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files; none is read. Raises DataError."""
        root = folder(self.where)
        classes = {path.name: label for label, path in enumerate(class_folders(root))}
        return read_folders(root, classes, "imagefolder", self.version)


def class_folders(root: Path) -> list[Path]:
    """Return the folders in ``root``, sorted by name. Raises DataError for a file among them, and for none."""
    found = entries(root)
    stray = next((entry.path for entry in found if not entry.is_dir()), None)
    if stray:
        raise DataError(f"{stray!r} lies beside the class folders; only folders, one a class, are expected there.")
    if not found:
        raise DataError(f"{str(root)!r} holds no class folders.")
    return [Path(entry.path) for entry in found]


def read_folders(root: Path, classes: Mapping[str, int], source: str, version: int) -> ImageData:
    """Make the data of ``root``'s folders, name → label. Raises DataError for a folder without pictures or with other things."""
    rows, samples = [], []
    for name, label in classes.items():
        found = pictures(root / name)
        if not found:
            raise DataError(f"The class folder {str(root / name)!r} holds no pictures.")
        for entry in found:
            rows.append((f"{name}/{entry.name}", label, entry.stat().st_size))
            samples.append(Sample(f"{name}/{entry.name}", label, FileBytes(Path(entry.path))))
    return ImageData(str(root), tuple(samples), fingerprint(source, version, rows), len(classes), tuple(classes))
