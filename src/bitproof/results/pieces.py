"""Work that is kept piece by piece: a folder of Parquet files, each there whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from bitproof.core import StoreError
from bitproof.results import layout
from bitproof.results.files import explained, fingerprint, listed, make_folder, read_bytes, sweep, write_bytes
from bitproof.results.lock import locked

FOLDER = "pieces"


class Pieces:
    """A folder that fills up piece by piece, so that a killed job goes on where it was.

        pieces/ID-HASH.parquet   one piece; the name holds a fingerprint of the bytes, so a damaged one counts as missing
        …                        what was made of all of them, see ``write``

    Raises StoreError naming the path at fault, and for a folder that holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / FOLDER).is_dir():
            layout.check_new(self.path)
            with explained("made", self.path):
                make_folder(self.path / FOLDER)
        if (self.path / layout.MARK).is_file():
            raise StoreError(f"{str(self.path)!r} is a results directory of 'bitproof run'. Choose an empty or a new one.")
        sweep(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder as its only writer. Raises StoreError naming the process that holds it."""
        with locked(self.path / layout.LOCK):
            yield

    def read(self, piece: str) -> pl.DataFrame | None:
        """Return a piece that was kept, or None where it is not there or damaged."""
        for path in listed(self.path / FOLDER, ".parquet"):
            if path.stem.rpartition("-")[0] == piece:
                data = read_bytes(path)
                if path.stem.endswith(fingerprint(data)):
                    return pl.read_parquet(io.BytesIO(data))
        return None

    def keep(self, piece: str, frame: pl.DataFrame) -> None:
        """Store a piece."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        data = buffer.getvalue()
        write_bytes(self.path / FOLDER / f"{layout.check_id('piece', piece)}-{fingerprint(data)}.parquet", data)

    def write(self, name: str, data: bytes) -> Path:
        """Store what was made of the pieces, and return where."""
        write_bytes(self.path / name, data)
        return self.path / name
