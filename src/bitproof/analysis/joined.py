"""What a noise adds to another one: answers that change when it joins, such as those of integers on foggy pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Tally
from bitproof.analysis.measures import Figure, Measure
from bitproof.core import split

FIGURES = {
    "flips": Figure(
        "Predictions changed by the last noise",
        "%",
        "lower",
        "100·|{i : f(A+B(x_i)) ≠ f(A(x_i))}| / n for the joined noise A+B; of B alone, A is the clean picture",
        "churn: Milani Fard et al., NIPS 2016, with A in the place of clean",
    )
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``flips:A+B`` for each joined noise whose part A has a cell too, and ``flips:B``; attacks apart.

    B is the last noise on a sample's way, so both meet the very same pictures up to it.
    """
    for column, base in _pairs(block, cells).items():
        yield Measure(f"flips:{block.noises[column].noise}", partial(_changes, column=column, base=base), _note(block, base))


def _changes(cells: Cells, column: int, base: int) -> Tally:
    return tallies.changes(cells, [column], base)


def _note(block: Block, base: int) -> str:
    return f"against {block.noises[base].noise}"


def _pairs(block: Block, cells: Cells) -> dict[int, int]:
    """Column → the column that it is compared with, first those against clean."""
    at = {noise.noise: i for i, noise in enumerate(block.noises) if cells.seen[:, i].any() and cells.gradient[i] is None}
    joined = {i: split(noise, "+") for noise, i in at.items() if "+" in noise}
    pairs = {i: at["+".join(parts[:-1])] for i, parts in joined.items() if "+".join(parts[:-1]) in at}
    alone = [at[parts[-1]] for i, parts in joined.items() if i in pairs and parts[-1] in at]
    return {**({i: block.clean for i in alone} if block.clean is not None else {}), **pairs}
