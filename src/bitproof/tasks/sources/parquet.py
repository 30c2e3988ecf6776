"""``parquet:FILE``: one row a picture."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import polars as pl

from bitproof.core import DataError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import WHOLE_BYTES, place

#: A file up to ``WHOLE_BYTES`` is read, and hashed, at once; of a larger one so many rows are read at a time, its tail is hashed.
BATCH_ROWS = 128

# The footer lies in the tail: offsets and sizes of all pages, mostly with statistics of their values.
_TAIL_BYTES = 64 << 10


@dataclass(frozen=True)
class Parquet:
    """A Parquet file with the columns ``image`` (encoded bytes), ``label`` (whole numbers) and, if it has one, ``file`` (ids).

    ``image`` may be a struct with ``bytes``, as Hugging Face writes it. An id is the ``file``, with ``#row`` where it is repeated,
    or ``row…``. ``classes`` declares how many classes the labels count. Row groups of about 100 rows keep large files quick.
    """

    where: str
    classes: int | None = None

    column: ClassVar[str] = "image"
    task: ClassVar[str] = "image"
    source: ClassVar[str] = "bitproof: one row a sample"
    version: ClassVar[int] = 1

    def load(self) -> ImageData:
        """Read all columns but the pictures. Raises DataError for a file that is none, and for columns or rows that do not fit."""
        path = place(self.where)
        table = _read_table(path, self.column)
        labels = table["label"].to_list()
        ids = _unique(table["file"].to_list()) if "file" in table.columns else [f"row{i}" for i in range(len(labels))]
        size = path.stat().st_size
        column = _Column(path, path.stat().st_mtime_ns, len(labels) if size <= WHOLE_BYTES else BATCH_ROWS, self.column)
        samples = tuple(Sample(ids[i], labels[i], _Picture(column, i)) for i in range(len(labels)))
        rows = ((name, label, 0) for name, label in zip(ids, labels, strict=True))
        digest = fingerprint("parquet", self.version, rows, size, _hash(path, size))
        return ImageData(str(path), samples, digest, self.classes)


@contextmanager
def _explained(path: Path, complaint: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{str(path)!r} {complaint}: {str(error).splitlines()[0]}.") from None


def _read_table(path: Path, encoded: str) -> pl.DataFrame:
    with _explained(path, "is no readable Parquet file"):
        scan = pl.scan_parquet(path, glob=False)
        schema = scan.collect_schema()
    _check_schema(path, schema, encoded)
    columns = ["label", *(["file"] if "file" in schema else [])]
    with _explained(path, "is damaged"):
        table = scan.select(*columns, missing=pl.col(encoded).is_null()).collect()
    for name in (*columns, "missing"):
        empty = table[name] if name == "missing" else table[name].is_null()
        if empty.any():
            raise DataError(f"{str(path)!r} row {empty.arg_max()}: {encoded if name == 'missing' else name} is empty.")
    return table


def _check_schema(path: Path, schema: pl.Schema, name: str) -> None:
    found = ", ".join(f"{name} ({kind})" for name, kind in schema.items())
    image, label = schema.get(name), schema.get("label")
    encoded = image == pl.Binary or (isinstance(image, pl.Struct) and dict(image).get("bytes") == pl.Binary)
    if not encoded or label is None or not label.is_integer() or schema.get("file", pl.String) != pl.String:
        raise DataError(
            f"{str(path)!r} has the columns {found}; needed are {name} (Binary, or a struct with bytes), label (a whole number) "
            "and, if there is one, file (String)."
        )


def _unique(files: Sequence[str]) -> list[str]:
    counts = Counter(files)
    return [f"{file}#{row}" if counts[file] > 1 else file for row, file in enumerate(files)]


def _hash(path: Path, size: int) -> str:
    with path.open("rb") as file:
        if size > WHOLE_BYTES:
            file.seek(-_TAIL_BYTES, os.SEEK_END)
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Column:
    """The encoded column of one state of a file, in batches of ``rows``."""

    path: Path
    changed_ns: int
    rows: int
    name: str


@dataclass(frozen=True)
class _Picture:
    column: _Column
    row: int

    def __call__(self) -> bytes:
        """Return the row's encoded picture. Raises DataError where the file is gone or was changed."""
        start = self.row - self.row % self.column.rows
        with _LOCK:  # else every thread that misses would read the same batch
            return _batch(self.column, start)[self.row - start]


_LOCK = threading.Lock()


@lru_cache(maxsize=4)
def _batch(column: _Column, start: int) -> list[bytes]:
    with _explained(column.path, "can no longer be read"):
        if column.path.stat().st_mtime_ns != column.changed_ns:
            raise DataError(f"{str(column.path)!r} was changed while it was in use.")
        scan = pl.scan_parquet(column.path, glob=False).slice(start, column.rows).select(column.name)
        image = scan.collect()[column.name]
    return (image.struct.field("bytes") if isinstance(image.dtype, pl.Struct) else image).to_list()
