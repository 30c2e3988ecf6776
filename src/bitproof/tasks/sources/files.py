"""Paths and bytes, read when they are asked for."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitproof.core import DataError

#: Extensions of the picture files that every decoder knows.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def place(where: str) -> Path:
    """Return the path that ``where`` names, with ``~`` and ``$VARIABLES`` filled in. Raises DataError for one that is not set."""
    path = Path(os.path.expandvars(where)).expanduser()
    unset = re.search(r"\$\{?(\w+)", str(path))
    if unset:
        raise DataError(f"{where!r} holds ${unset[1]}, which is not set. Type: export {unset[1]}=…")
    return path


def folder(where: str) -> Path:
    """Return the folder that ``where`` names. Raises DataError where there is none."""
    path = place(where)
    if not path.is_dir():
        raise DataError(f"{str(path)!r} is no folder{' but a file' if path.exists() else '; there is nothing of that name'}.")
    return path


def entries(path: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name; hidden things (.name) are left out."""
    with os.scandir(path) as found:
        return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)


def pictures(path: Path) -> list[os.DirEntry[str]]:
    """Return the picture files of a folder. Raises DataError naming the first thing that is none."""
    found = entries(path)
    for entry in found:
        if entry.is_dir():
            raise DataError(f"{entry.path!r} is a folder where pictures were expected; folders of pictures are not nested.")
        if not entry.name.lower().endswith(EXTENSIONS):
            raise DataError(f"{entry.path!r} is no picture; known extensions: {', '.join(EXTENSIONS)}. Move it away.")
    return found


@dataclass(frozen=True)
class FileBytes:
    """Reads a file when it is called. Raises DataError where it cannot."""

    path: Path

    def __call__(self) -> bytes:
        """Return the file's bytes."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{str(self.path)!r} cannot be read: {error.strerror}.") from None


@dataclass(frozen=True, eq=False)
class PngBytes:
    """Encodes a picture, uint8 H×W or H×W×3, without loss when it is called."""

    image: NDArray[Any]

    def __call__(self) -> bytes:
        """Return the PNG file's bytes."""
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(self.image)).save(file, "PNG")
        return file.getvalue()
