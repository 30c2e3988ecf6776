"""Accuracy without noise."""

from __future__ import annotations

from collections.abc import Iterator

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import EACH
from bitproof.analysis.measures import Figure, Measure, refused

FIGURES = {
    "clean": Figure("Clean accuracy", "%", "higher", "100·|{i : f(x_i) = y_i}| / n", "top-1 accuracy"),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``clean``."""
    clean = block.clean
    if clean is None:
        yield refused("clean", "no clean cell")
    else:
        yield Measure("clean", lambda each: tallies.hits(each, [clean]), reduction=EACH)
