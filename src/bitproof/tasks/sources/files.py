"""Paths and bytes, read when they are asked for."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitproof.core import DataError

#: Extensions of the picture files that every decoder knows.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

#: Data of up to this size in all is hashed whole when it is loaded; of more, what is cheap to know.
WHOLE_BYTES = 256 << 20


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """Turn an OSError into a DataError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from None


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
    with explained(path):
        if not path.is_dir():
            raise DataError(f"{str(path)!r} is no folder{' but a file' if path.exists() else '; there is nothing of that name'}.")
    return path


def entries(path: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name; hidden things (.name) are left out.

    Raises DataError for a folder that cannot be read, and for a name that is no text.
    """
    with explained(path), os.scandir(path) as found:
        kept = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    odd = next((entry.path for entry in kept if not is_text(entry.name)), None)
    if odd is not None:
        raise DataError(f"{odd!r} has a name that is not UTF-8, which no record can hold. Rename it.")
    return kept


def is_text(name: str) -> bool:
    """Whether no byte of the name had to be smuggled past UTF-8, as Python does it with half surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def pictures(path: Path) -> list[os.DirEntry[str]]:
    """Return the picture files of a folder; see ``files_of``."""
    return files_of(path, EXTENSIONS, "picture")


def files_of(path: Path, extensions: tuple[str, ...], thing: str) -> list[os.DirEntry[str]]:
    """Return the files of a folder, each a ``thing``. Raises DataError naming the first that is none, or cannot be looked at."""
    found = entries(path)
    for entry in found:
        if is_folder(entry):
            raise DataError(f"{entry.path!r} is a folder where {thing}s were expected; folders of {thing}s are not nested.")
        if not entry.name.lower().endswith(extensions):
            raise DataError(f"{entry.path!r} is no {thing}; known extensions: {', '.join(extensions)}. Move it away.")
        if not _is_file(entry):
            raise DataError(f"{entry.path!r} is a pipe, a socket or a device, which may have no end; a file was expected.")
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether ``entry`` is a folder or a link to one. Raises DataError where that cannot be told."""
    with explained(entry.path):
        return entry.is_dir()


def _is_file(entry: os.DirEntry[str]) -> bool:
    with explained(entry.path):
        return stat.S_ISREG(entry.stat().st_mode)


def size_bytes(entry: os.DirEntry[str]) -> int:
    """Return a file's size. Raises DataError where it cannot be told, as of a link to nothing."""
    with explained(entry.path):
        return entry.stat().st_size


@dataclass(frozen=True)
class FileBytes:
    """Reads a file when it is called. Raises DataError where it cannot."""

    path: Path

    def __call__(self) -> bytes:
        """Return the file's bytes."""
        with explained(self.path):
            return self.path.read_bytes()


def content(paths: Sequence[Path], total_bytes: int) -> tuple[str, ...]:
    """Return the SHA-256 of each file's bytes, or nothing where they are more than ``WHOLE_BYTES``. Raises DataError."""
    if total_bytes > WHOLE_BYTES:
        return ()
    return tuple(hashlib.sha256(FileBytes(path)()).hexdigest() for path in paths)


@dataclass(frozen=True, eq=False)
class Kept:
    """Bytes in memory, as ``Sample.read`` wants them."""

    data: bytes

    def __call__(self) -> bytes:
        """Return them."""
        return self.data


@dataclass(frozen=True, eq=False)
class PngBytes:
    """Encodes a picture, uint8 H×W or H×W×3, without loss when it is called."""

    image: NDArray[Any]

    def __call__(self) -> bytes:
        """Return the PNG file's bytes."""
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(self.image)).save(file, "PNG")
        return file.getvalue()
