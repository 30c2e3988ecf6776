"""``imagefolder:DIR``: a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import EXTENSIONS, FileBytes, content, entries, files_of, folder, is_folder, size_bytes


@dataclass(frozen=True)
class ImageFolder:
    """Pictures in one folder a class; classes are the folders' names, sorted.

    Hidden files are ignored. Refused with its name: a file beside the class folders, a file in them that is no picture, a
    folder inside one, and a class without pictures. Ids are paths below the folder. Up to 256 MiB of pictures are told apart by
    their bytes; of more only ids, labels and sizes count, so an edit that keeps a file's size goes unseen.
    """

    where: str

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "the layout of torchvision.datasets.ImageFolder"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files, and hash them where they are small in all. Raises DataError."""
        root = folder(self.where)
        classes = {path.name: label for label, path in enumerate(class_folders(root))}
        return read_folders(root, classes, "imagefolder", self.version)


def class_folders(root: Path) -> list[Path]:
    """Return the folders in ``root``, sorted by name. Raises DataError for a file among them, and for none."""
    found = entries(root)
    stray = next((entry.path for entry in found if not is_folder(entry)), None)
    if stray:
        raise DataError(f"{stray!r} lies beside the class folders; only folders, one a class, are expected there.")
    if not found:
        raise DataError(f"{str(root)!r} holds no class folders.")
    return [Path(entry.path) for entry in found]


def read_folders(
    root: Path,
    classes: Mapping[str, int],
    source: str,
    version: int,
    extensions: tuple[str, ...] = EXTENSIONS,
    thing: str = "picture",
) -> ImageData:
    """Make the data of ``root``'s folders, name → label. Raises DataError for a folder without a ``thing``, or with others."""
    files = []
    for name, label in classes.items():
        found = files_of(root / name, extensions, thing)
        if not found:
            raise DataError(f"The class folder {str(root / name)!r} holds no {thing}s.")
        files += [(f"{name}/{entry.name}", label, entry) for entry in found]
    return from_files(root, files, tuple(classes), source, version, f"{thing}s")


def from_files(
    root: Path,
    files: Sequence[tuple[str, int, os.DirEntry[str]]],
    names: tuple[str, ...],
    source: str,
    version: int,
    things: str = "pictures",
) -> ImageData:
    """Make the data of files, each with its id and label; its digest knows their bytes where they are small in all."""
    rows = [(name, label, size_bytes(entry)) for name, label, entry in files]
    samples = tuple(Sample(name, label, FileBytes(Path(entry.path))) for name, label, entry in files)
    bytes_known = content([Path(entry.path) for *_, entry in files], sum(size for *_, size in rows))
    return ImageData(str(root), samples, fingerprint(source, version, rows, *bytes_known), len(names), names, things)
