"""What chat models said: one Parquet file a finished cell, whose name holds a fingerprint of its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from bitproof.core import ReplyRow, StoreError
from bitproof.results import cells, layout
from bitproof.results.files import fingerprint, read_bytes
from bitproof.results.mirror import located
from bitproof.results.schema import REPLIES


def write(folder: Path, cell: str, rows: Sequence[ReplyRow]) -> None:
    """Store the replies of a cell; an earlier file of it gives way. Raises StoreError for a value of the wrong type."""
    try:
        frame = pl.DataFrame({name: [getattr(row, name) for row in rows] for name in REPLIES}, schema=REPLIES, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"Cell {cell!r}: a reply holds a value of the wrong type: {error}.") from None
    cells.keep(folder, cell, frame)


def load(path: str | Path) -> pl.DataFrame:
    """Return every reply of a results directory or URL, with the columns of ``core.ReplyRow``; none where no chat model was asked.

    A damaged file is left out with a warning. Raises StoreError.
    """
    path = located(path)
    old, new = _compact(path), cells.whole(path / layout.REPLIES, "what was said in its cell is missing")
    parts = {str(cell): part for (cell,), part in old.group_by("cell", maintain_order=True)}
    parts |= {cell: cells.decode(data, file, REPLIES) for cell, file, data in new}
    return pl.concat([parts[cell] for cell in sorted(parts)]) if parts else pl.DataFrame(schema=REPLIES)


def _compact(path: Path) -> pl.DataFrame:
    """The replies of the compact form, or none. Raises StoreError where they are not those that ``store.json`` tells of."""
    expected, file = layout.read_mark(path).get("replies"), path / layout.COMPACT_REPLIES
    if not file.is_file():
        return pl.DataFrame(schema=REPLIES)
    data = read_bytes(file)
    if expected not in (None, fingerprint(data)):  # older directories tell of none
        raise StoreError(f"{str(file)!r} is damaged: it is not the file that {layout.MARK!r} tells of. Fetch it again.")
    return cells.decode(data, file, REPLIES)
