"""What chat models said: one Parquet file a finished cell, whose name holds a fingerprint of its bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from bitproof.core import ReplyRow, StoreError
from bitproof.results import layout
from bitproof.results.cells import encode
from bitproof.results.files import explained, fingerprint, listed, read_bytes, write_bytes
from bitproof.results.schema import REPLIES


def write(folder: Path, cell: str, rows: Sequence[ReplyRow]) -> None:
    """Store the replies of a cell; an earlier file of it gives way. Raises StoreError for a value of the wrong type."""
    try:
        frame = pl.DataFrame({name: [getattr(row, name) for row in rows] for name in REPLIES}, schema=REPLIES, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"Cell {cell!r}: a reply holds a value of the wrong type: {error}.") from None
    data = encode(frame)
    path = folder / f"{cell}-{fingerprint(data)}.parquet"
    write_bytes(path, data)
    with explained("replaced", folder):
        for other in listed(folder, ".parquet"):
            if other != path and other.stem.rpartition("-")[0] == cell:
                other.unlink(missing_ok=True)


def load(path: str | Path) -> pl.DataFrame:
    """Return every reply of a results directory, with the columns of ``core.ReplyRow``; none where no chat model was asked.

    A damaged file is left out with a warning. Raises StoreError.
    """
    layout.read_mark(Path(path))
    parts = {str(cell): part for old in _compact(Path(path)) for (cell,), part in old.group_by("cell", maintain_order=True)}
    parts |= dict(_whole(Path(path) / layout.REPLIES))
    return pl.concat([parts[cell] for cell in sorted(parts)]) if parts else pl.DataFrame(schema=REPLIES)


def _compact(path: Path) -> Iterator[pl.DataFrame]:
    file = path / layout.COMPACT_REPLIES
    if file.is_file():
        yield _decoded(read_bytes(file), file)


def _whole(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for path in listed(folder, ".parquet"):
        cell, _, found = path.stem.rpartition("-")
        data = read_bytes(path)
        if fingerprint(data) != found:
            warnings.warn(f"{str(path)!r} is damaged and ignored: what was said in the cell {cell!r} is missing.", stacklevel=2)
            continue
        yield cell, _decoded(data, path)


def _decoded(data: bytes, path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{str(path)!r} is no Parquet file that this polars can read: {error}.") from None
    if frame.schema != REPLIES:
        raise StoreError(f"{str(path)!r} has other columns than this version of bitproof writes: {', '.join(frame.columns)}.")
    return frame
