"""Columns of the stored frames, made from the row classes of core, and the check that a frame has them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence

import polars as pl

from bitproof.core import ReplyRow, SampleRow, StoreError, VariantRow

_TYPES: dict[type, pl.DataType] = {str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean()}


def _columns(row: type) -> tuple[pl.Schema, tuple[str, ...]]:
    """The polars schema of a row class, and the columns that may not be null."""
    hints = typing.get_type_hints(row)
    names = [field.name for field in dataclasses.fields(row)]
    optional = {name for name in names if isinstance(hints[name], types.UnionType)}
    plain = {name: typing.get_args(hints[name])[0] if name in optional else hints[name] for name in names}
    return pl.Schema({name: _TYPES[plain[name]] for name in names}), tuple(name for name in names if name not in optional)


SAMPLES, _REQUIRED = _columns(SampleRow)
VARIANTS, VARIANTS_REQUIRED = _columns(VariantRow)
REPLIES, _ = _columns(ReplyRow)


def completed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with the optional columns that an earlier version did not write, as null, in order."""
    missing = [name for name in SAMPLES if name not in frame.columns and name not in _REQUIRED]
    if not missing or not set(frame.columns) <= set(SAMPLES):
        return frame
    frame = frame.with_columns(pl.lit(None, SAMPLES[name]).alias(name) for name in missing)
    return frame.select(name for name in SAMPLES if name in frame.columns)


def to_frame(cell: str, rows: Sequence[SampleRow] | pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ``cell`` as a frame with ``SAMPLES``' columns.

    Raises StoreError where there are none, a column is missing, surplus or of another type, a value is null that may not be, a
    row belongs to another cell, or a sample stands there twice.
    """
    frame = _cast(cell, rows) if isinstance(rows, pl.DataFrame) else _build(cell, rows)
    nulls = [name for name in _REQUIRED if frame[name].null_count()]
    if nulls:
        raise StoreError(f"Cell {cell!r}: null in {', '.join(nulls)}; only optional columns may be null.")
    if frame.is_empty():
        raise StoreError(f"Cell {cell!r} has no rows; a cell without a sample is not a result.")
    if (other := frame.filter(pl.col("cell") != cell)).height:
        raise StoreError(f"Cell {cell!r} was handed a row of cell {other['cell'][0]!r}.")
    if (twice := frame.filter(pl.struct("sample", "trial").is_duplicated())).height:
        raise StoreError(f"Cell {cell!r} holds the sample {twice['sample'][0]!r} twice; a cell has one row a sample and trial.")
    return frame


def _build(cell: str, rows: Sequence[SampleRow]) -> pl.DataFrame:
    columns = {name: [getattr(row, name) for row in rows] for name in SAMPLES}
    try:
        return pl.DataFrame(columns, schema=SAMPLES, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"Cell {cell!r}: a row holds a value of the wrong type: {error}.") from None


def _cast(cell: str, frame: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in SAMPLES if name not in frame.columns]:
        raise StoreError(f"Cell {cell!r}: the frame lacks the columns {', '.join(missing)}.")
    if surplus := [name for name in frame.columns if name not in SAMPLES]:
        raise StoreError(f"Cell {cell!r}: the frame has the unknown columns {', '.join(surplus)}; a row has {', '.join(SAMPLES)}.")
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in SAMPLES.items())
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"Cell {cell!r}: a column has the wrong type: {error}.") from None
