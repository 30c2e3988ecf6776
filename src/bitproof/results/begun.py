"""The finished batches of cells that are not: one Parquet file each, named by the place of its first row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bitproof.core import SampleRow
from bitproof.results.cells import decode, encode
from bitproof.results.files import explained, fingerprint, listed, read_bytes, write_bytes
from bitproof.results.schema import to_frame


def write(folder: Path, cell: str, first: int, rows: Sequence[SampleRow]) -> None:
    """Store rows of ``cell`` that come after ``first`` others."""
    data = encode(to_frame(cell, rows))
    write_bytes(folder / f"{first:09d}-{fingerprint(data)}.parquet", data)


def read(folder: Path) -> Iterator[SampleRow]:
    """Yield the rows in order, up to the first that are missing or damaged. Raises StoreError where a file cannot be read."""
    count = 0
    for path in listed(folder, ".parquet"):
        first, _, digest = path.stem.partition("-")
        data = read_bytes(path)
        if int(first) != count or fingerprint(data) != digest:
            continue
        rows = decode(data, path).to_dicts()
        yield from (SampleRow(**row) for row in rows)
        count += len(rows)


def forget(folder: Path) -> None:
    """Remove them. Raises StoreError where that fails."""
    with explained("removed", folder):
        if folder.exists():
            shutil.rmtree(folder)
