"""What ``bitproof quantize --evaluate`` leaves of a detector: the average precision of the float and the low-bit network."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from bitproof.core import StoreError

#: Its file.
PRECISION = "precision.json"

_COLUMNS = pl.Schema(
    {name: pl.String() for name in ("task", "model", "recipe", "of")}
    | {"n": pl.Int64(), "ap_float": pl.Float64(), "ap": pl.Float64()}
)


def is_precision(path: Path) -> bool:
    """Return whether the folder ``path`` holds such figures."""
    return (path / PRECISION).is_file()


def precision(path: Path) -> pl.DataFrame:
    """Return the figures in the folder ``path``, a row for boxes and one for masks where there are some.

    ``task``: the data that were evaluated; ``n``: pictures; ``ap_float`` and ``ap``: COCO's average precision, %, null where the
    data hold no such thing. Raises StoreError for a file that cannot be read, and for one that does not say of what it is.
    """
    file = path / PRECISION
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        of = {"task": said["data"], "model": said["model"], "recipe": said["recipe"], "n": said["n"]}
        pairs = zip(said["full"], said["low"], strict=True)
        rows = [of | {"of": full["of"], "ap_float": full["ap"], "ap": low["ap"]} for full, low in pairs]
        return pl.DataFrame(rows, schema=_COLUMNS)
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"{str(file)!r} cannot be read as figures of a detector ({type(error).__name__}: {error}). Files from before hold no "
            f"model and recipe: make it anew, 'bitproof quantize MODEL RECIPE --calibration DATA --evaluate coco:DIR -o {path}'."
        ) from None
