"""A table of floats whose rows hold one magnitude each, as its signs and those: what a binarized embedding is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: With fewer columns nothing is saved.
LEAST = 16


def signs_of(table: Array) -> dict[str, Array] | None:
    """Return a table's signs, eight to a byte, first in the lowest bit, 1 for minus, and its magnitudes, one a row.

    float32 rows×columns → {"signs": uint8, "scale": float32 rows}; None where a row holds several magnitudes, or nothing is saved.
    """
    if table.dtype != np.float32 or table.ndim != 2 or table.shape[1] < LEAST or not len(table):
        return None
    scale = np.abs(table[:, 0])
    if not np.array_equal(np.abs(table), np.broadcast_to(scale[:, None], table.shape)):
        return None
    return {"signs": np.packbits(np.signbit(table).reshape(-1), bitorder="little"), "scale": scale}


def table_of(kept: Mapping[str, Array], rows: int, columns: int) -> Array:
    """Return the table of what ``signs_of`` gave, bit for bit. Raises ValueError where that does not fit."""
    signs, scale = kept["signs"], kept["scale"]
    if min(rows, columns) < 1 or scale.dtype != np.float32 or scale.shape != (rows,):
        raise ValueError(f"a table of {rows}×{columns} has scales {scale.dtype} {scale.shape}")
    if signs.dtype != np.uint8 or signs.shape != (-(-rows * columns // 8),):
        raise ValueError(f"a table of {rows}×{columns} has signs {signs.dtype} {signs.shape}")
    minus = np.unpackbits(signs, count=rows * columns, bitorder="little").reshape(rows, columns).astype(bool)
    table: Array = np.where(minus, -scale[:, None], scale[:, None])
    return table
