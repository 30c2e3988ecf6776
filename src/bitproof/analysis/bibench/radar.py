"""BiBench's published six-axis figure, read off as fractions of the disc (± 0.03): good for the order of methods alone."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path


@cache
def _table() -> dict[str, dict[str, str]]:
    with Path(__file__).with_name("radar.csv").open(encoding="utf-8", newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


def radar(method: str, track: str) -> float | None:
    """Return where ``method`` lies on the axis ``track``, 0 to 1; None for a method that the figure does not hold."""
    row = _table().get(method)
    return float(row[track]) if row else None
