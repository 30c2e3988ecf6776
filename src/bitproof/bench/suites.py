"""A grid with all the attacks that the masking audit needs for a verdict on those that it asks for."""

from __future__ import annotations

from pathlib import Path

import yaml

from bitproof.analysis import Budget, budget, free, suite
from bitproof.bench.grid import Grid, parse_grids, read_grid
from bitproof.core import SpecError
from bitproof.noises import expand


def audited(path: Path) -> str:
    """Return the text of the grid file ``path`` with the audit's suite added to the noises of each of its grids.

    Raises SpecError where no grid of it names an attack with a budget, and what ``parse_grids`` raises.
    """
    text = read_grid(path)
    grids = parse_grids(text, str(path))
    documents = [document for document in yaml.safe_load_all(text) if document is not None]
    if not any(map(_balls, grids)):
        raise SpecError(
            f"{str(path)!r} names no attack with a budget to audit. Add for example 'pgd-linf:eps=2/255' to its noises."
        )
    for document, grid in zip(documents, grids, strict=True):
        document["noises"] = [*grid.noises, *_suite(grid)]
    return yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False, explicit_start=True)


def _asked(grid: Grid) -> list[str]:
    return [spec for text in grid.noises for spec in expand(text)]


def _balls(grid: Grid) -> list[Budget]:
    """Every ball that an attack of ``grid`` moves in, once."""
    found = [budget(spec) for spec in _asked(grid) if "+" not in spec]
    return list({(ball.norm, ball.eps): ball for ball in found if ball and not free(ball)}.values())


def _suite(grid: Grid) -> list[str]:
    """The attacks to add, in their one form."""
    wanted = dict.fromkeys(spec for ball in _balls(grid) for text in suite(ball) for spec in expand(text))
    return [spec for spec in wanted if spec not in _asked(grid)]
