"""The published figures that a run is set beside; each line of ``published.csv`` names its source."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from bitproof.analysis.blocks import CONTROLS
from bitproof.analysis.naming import parsed, recipe_bits


@cache
def _table() -> dict[tuple[str, str, int], float]:
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return {(row["figure"], row["method"], int(row["bits"])): float(row["value"]) for row in csv.DictReader(file)}


def published(figure: str, recipe: str) -> float | None:
    """Return the published value, %, of ``figure`` for the method and bits of ``recipe``; None where there is none."""
    bits, method = recipe_bits(recipe), "fp" if recipe in CONTROLS else parsed(recipe).name
    return _table().get((figure, method, bits[0])) if bits and bits[0] == bits[1] else None


def combined(weights: dict[tuple[str, str], float]) -> float | None:
    """Return Σ weight × published value over (figure, recipe); None where one of them was not published."""
    values = [(weight, published(figure, recipe)) for (figure, recipe), weight in weights.items()]
    known = [weight * value for weight, value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
