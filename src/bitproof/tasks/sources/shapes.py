"""Shapes: ModelNet's folders of OFF files, and the HDF5 files of clouds that PointNet came with."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bitproof.core import DataError, MissingExtra, SpecError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import content, entries, files_of, folder, is_folder, place
from bitproof.tasks.sources.folder import from_files

#: Files that name the classes, by label: those of ModelNet40 and of ShapeNet's parts.
NAMES = ("shape_names.txt", "all_object_categories.txt")


def check_part(part: str, parts: tuple[str, ...]) -> None:
    """Raise SpecError for a part that there is not."""
    if part not in parts:
        raise SpecError(f"part={part!r} is unknown: {', '.join(parts)}.")


@dataclass(frozen=True)
class ModelNet:
    """ModelNet10 or ModelNet40 as it is unpacked, DIR/CLASS/train|test/NAME.off: modelnet:DIR[,part=test].

    Classes are the folders' names, sorted, which is ModelNet's own order; ``part`` is train or test, the official split. Other
    layouts of OFF files fit where they have these folders. A class without files of the part is refused with its name.
    """

    where: str
    part: str = "test"

    task: ClassVar[str] = "points"
    source: ClassVar[str] = "ModelNet (arXiv 1406.5670), modelnet.cs.princeton.edu"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """List the files, and hash them where they are small in all. Raises DataError, SpecError."""
        check_part(self.part, ("train", "test"))
        root = folder(self.where)
        names = tuple(entry.name for entry in entries(root) if is_folder(entry))
        if not names:
            raise DataError(f"{str(root)!r} holds no class folders; expected are folders as chair/test/chair_0890.off.")
        files = [row for label, name in enumerate(names) for row in self._files(root, name, label)]
        return from_files(root, files, names, f"modelnet {self.part}", self.version, "shapes")

    def _files(self, root: Path, name: str, label: int) -> list[tuple[str, int, Any]]:
        path = root / name / self.part
        found = files_of(folder(str(path)), (".off",), "shape")
        if not found:
            raise DataError(f"The folder {str(path)!r} holds no shapes.")
        return [(f"{name}/{self.part}/{entry.name}", label, entry) for entry in found]


@dataclass(frozen=True)
class CloudHdf5:
    """HDF5 files with ``data`` N×P×3 and ``label`` N or N×1: points/hdf5:DIR[,part=test] or points/hdf5:FILE.

    Of a folder those files count in whose names the part is a word, as in ply_data_test0.h5; ``part`` is train, val or test.
    Classes are named by shape_names.txt or all_object_categories.txt beside them, where there is one. Needs the extra ``points``.
    """

    where: str
    part: str = "test"

    task: ClassVar[str] = "points"
    source: ClassVar[str] = "modelnet40_ply_hdf5_2048 and ShapeNet's parts, of PointNet (arXiv 1612.00593)"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Read the labels, and hash the files where they are small in all. Raises DataError, SpecError, MissingExtra."""
        check_part(self.part, ("train", "val", "test"))
        paths = self._paths(place(self.where))
        tables = {path: _labels(path) for path in paths}
        rows = [(path, i, label) for path, (labels, _) in tables.items() for i, label in enumerate(labels)]
        samples = tuple(Sample(f"{path.name}#{i}", label, Row(path, i)) for path, i, label in rows)
        known = content(paths, sum(path.stat().st_size for path in paths))
        facts = [(sample.id, sample.label, tables[path][1]) for sample, (path, *_) in zip(samples, rows, strict=True)]
        names = _names(paths[0].parent)
        digest = fingerprint("points/hdf5", self.version, facts, *known)
        return ImageData(self.where, samples, digest, len(names) or None, names, "clouds")

    def _paths(self, where: Path) -> list[Path]:
        if where.is_file():
            return [where]
        found = [Path(entry.path) for entry in entries(folder(self.where)) if entry.name.endswith((".h5", ".hdf5"))]
        kept = [path for path in found if re.search(rf"(?<![a-z]){self.part}(?![a-z])", path.stem)]
        if not kept:
            there = ", ".join(path.name for path in found[:5]) or "no .h5 file"
            raise DataError(
                f"{str(where)!r} has no HDF5 file of the part {self.part!r}, such as ply_data_{self.part}0.h5: {there}."
            )
        return kept


@dataclass(frozen=True)
class Row:
    """A cloud of an HDF5 file, as the bytes of a NumPy file."""

    path: Path
    index: int

    def __call__(self) -> bytes:
        """Read it. Raises DataError."""
        with _opened(self.path) as file:
            points = np.asarray(file["data"][self.index], np.float32)
        out = io.BytesIO()
        np.save(out, points)
        return out.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file and turn what goes wrong with it into a DataError."""
    try:
        import h5py
    except ImportError:
        raise MissingExtra("h5py", "points", "Reading clouds from HDF5 files") from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{str(path)!r} is no readable HDF5 file with 'data' N×P×3 and 'label': {error}.") from None


def _labels(path: Path) -> tuple[list[int], int]:
    """The labels of a file's clouds, and how many points each has."""
    with _opened(path) as file:
        shape, labels = file["data"].shape, np.asarray(file["label"]).reshape(-1)
    if len(shape) != 3 or shape[2] != 3 or len(labels) != shape[0] or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{str(path)!r}: 'data' must be N×P×3 and 'label' N whole numbers, found {'×'.join(map(str, shape))} and "
            f"{len(labels)} of {labels.dtype}."
        )
    return labels.tolist(), int(shape[1])


def _names(root: Path) -> tuple[str, ...]:
    """The classes' names, a line each, its first word."""
    path = next((root / name for name in NAMES if (root / name).is_file()), None)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path else []
    return tuple(line.split()[0] for line in lines if line.strip())
