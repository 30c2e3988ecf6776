"""What a family of figures hands to the summary: which figure, how it is counted, how cells become one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bitproof.analysis.blocks import Cells
from bitproof.analysis.estimates import MEAN, Reduction, Tally


@dataclass(frozen=True)
class Figure:
    """How a figure is read: title, unit, direction, formula, source."""

    title: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    formula: str
    source: str


@dataclass(frozen=True)
class Measure:
    """One figure of one recipe. ``tally`` is applied to the recipe and to its control alike; None: refused, the note says why.

    ``paired``: has a difference to the control. ``verdict``: the masking audit's on a figure under attack.
    """

    figure: str
    tally: Callable[[Cells], Tally] | None
    note: str = ""
    reduction: Reduction = MEAN
    paired: bool = True
    verdict: str | None = None


def refused(figure: str, reason: str) -> Measure:
    """A figure that cannot be given, and why."""
    return Measure(figure, None, reason)
