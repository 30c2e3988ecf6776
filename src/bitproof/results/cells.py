"""One Parquet file a finished cell. Its name holds a fingerprint of its bytes, so a damaged file counts as not done."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from bitproof.core import SampleRow, StoreError
from bitproof.results.files import explained, fingerprint, listed, read_bytes, sync_folder, write_bytes
from bitproof.results.schema import SAMPLES, completed, to_frame


def write(folder: Path, cell: str, rows: Sequence[SampleRow] | pl.DataFrame) -> None:
    """Store the rows of a finished cell."""
    keep(folder, cell, to_frame(cell, rows))


def keep(folder: Path, cell: str, frame: pl.DataFrame) -> None:
    """Store what is known of a finished cell; an earlier file of the cell gives way once the new one is safe."""
    data = encode(frame)
    path = folder / _name(cell, data)
    write_bytes(path, data)
    with explained("replaced", folder):
        for name in _files_of(folder, cell):
            if name != path.name:
                (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


def encode(frame: pl.DataFrame, *, level: int | None = None) -> bytes:
    """Return ``frame`` as the bytes of a Parquet file; ``level`` of zstd, 1 to 22, the slower the smaller."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=level)
    return buffer.getvalue()


def decode(data: bytes, path: Path, schema: pl.Schema = SAMPLES) -> pl.DataFrame:
    """Return the frame in the bytes of ``path``. Raises StoreError where its columns are not those of this version."""
    try:
        frame = completed(pl.read_parquet(io.BytesIO(data)))
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{str(path)!r} is no Parquet file that this polars can read: {error}.") from None
    if frame.schema != schema:
        raise StoreError(f"{str(path)!r} has other columns than this version of bitproof writes: {', '.join(frame.columns)}.")
    return frame


def whole(folder: Path, lost: str = "the next run does its cell again") -> Iterator[tuple[str, Path, bytes]]:
    """Yield (cell, path, bytes) of every undamaged file, each cell once, in the order of names.

    Warns of the others, and says what is ``lost`` with them. Raises StoreError where the folder or a file cannot be read.
    """
    seen = set()
    for path in listed(folder, ".parquet"):
        cell, data = _cell(path), read_bytes(path)
        if path.name != _name(cell, data):
            warnings.warn(f"{str(path)!r} is damaged and ignored; {lost}.", stacklevel=2)
        elif cell not in seen:  # two whole files of one cell: a runner was killed between writing one and removing the other
            seen.add(cell)
            yield cell, path, data


def _files_of(folder: Path, cell: str) -> list[str]:
    """The names of a cell's files; without an object for each of the ten thousand others that may lie beside them."""
    with os.scandir(folder) as found:
        return [each.name for each in found if each.name.startswith(f"{cell}-") and _cell(Path(each.name)) == cell]


def _name(cell: str, data: bytes) -> str:
    return f"{cell}-{fingerprint(data)}.parquet"


def _cell(path: Path) -> str:
    return path.stem.rpartition("-")[0]
