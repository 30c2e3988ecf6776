"""How many answers noise changes, right or wrong."""

from __future__ import annotations

from collections.abc import Iterator

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.measures import Figure, Measure, refused

_FORMULA = "mean over cells of 100·|{i : f(noise(x_i)) ≠ f(x_i)}| / n"
_SOURCE = "churn: Milani Fard et al., NIPS 2016; flip probability: arXiv 1903.12261, §4.2"

FIGURES = {
    "churn_natural": Figure("Changed predictions under corruptions", "%", "lower", _FORMULA, _SOURCE),
    "churn_system": Figure("Changed predictions under system noise", "%", "lower", _FORMULA, _SOURCE),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``churn_FAMILY`` for natural and system noises."""
    for family in ("natural", "system"):
        present = block.columns(lambda noise, family=family: noise.family == family)  # type: ignore[misc]
        if present:
            yield _churn(f"churn_{family}", block, cells, [i for i in present if cells.seen[:, i].any()])


def _churn(figure: str, block: Block, cells: Cells, columns: list[int]) -> Measure:
    clean = block.clean
    if clean is None or not cells.seen[:, clean].any():
        return refused(figure, "no clean cell to compare with")
    if not columns:
        return refused(figure, "no such cell was finished")
    return Measure(figure, lambda each: tallies.changes(each, columns, clean), f"over {len(columns)} cells")
