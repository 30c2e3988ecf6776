"""A binarized recipe beside its float control, on one task and model: ratios of accuracies and gaps, and on every resample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block
from bitproof.analysis.corruption import ALEXNET, KINDS
from bitproof.analysis.estimates import Tally
from bitproof.analysis.intervals import Array, Bootstrap

#: The corruptions of pictures; those of other kinds of input are ``KINDS``.
PICTURES = "pictures"

CORRUPTIONS = {PICTURES: frozenset(ALEXNET), **KINDS}


@dataclass(frozen=True)
class Gaps:
    """Corruption → G_fp/G_bi, and what they rest on: ``n`` samples, ``cells``; ``small``: gaps below half a sample in either.

    ``kind``: of what input the corruptions are, of pictures or of one of ``KINDS``.
    """

    ratios: dict[str, Array]
    n: int = 0
    cells: int = 0
    small: tuple[str, ...] = ()
    kind: str = PICTURES


@dataclass(frozen=True)
class Place:
    """Where a recipe meets its control, on the ``n`` samples that both saw clean. Arrays hold the figure, then its resamples.

    ``accuracy``: A_bi/A_fp on them, NaN where the control has no right prediction; A is what ``measure`` names. ``sampled``:
    whether its resamples are some; where not, they repeat the figure.
    """

    task: str
    model: str
    control: str
    n: int
    accuracy: Array
    gaps: Gaps
    measure: str = "accuracy"
    sampled: bool = True


def places(blocks: Iterable[Block], recipes: Iterable[str]) -> dict[str, list[Place]]:
    """Recipe → where it can be compared. Models of one task meet the same resamples where they met equally many samples."""
    drawn: dict[tuple[str, int], Bootstrap] = {}
    found: dict[str, list[Place]] = {recipe: [] for recipe in recipes}
    for block in blocks:
        key = block.task, block.samples
        control, clean = block.control, block.clean
        if control is None or clean is None:
            continue
        for recipe in found.keys() & block.recipes.keys():
            if key not in drawn:
                drawn[key] = Bootstrap(block.samples, "bibench", *key)
            found[recipe] += _place(block, control, recipe, drawn[key], clean)
    return found


def _place(block: Block, control: str, recipe: str, bootstrap: Bootstrap, clean: int) -> Iterator[Place]:
    ours, theirs = (tallies.hits(block.recipes[name], [clean]) for name in (recipe, control))
    n = int((ours.seen & theirs.seen).any(axis=2).sum())
    if not n:
        return
    bi, fp = _paired(ours, theirs, bootstrap)
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy = np.where(fp[:, 0] > 0, bi[:, 0] / fp[:, 0], np.nan)
    gaps = _gaps(block, control, recipe, bootstrap, clean)
    yield Place(block.task, block.model, control, n, accuracy, gaps)


def _gaps(block: Block, control: str, recipe: str, bootstrap: Bootstrap, clean: int) -> Gaps:
    """G_fp/G_bi by corruption. A gap below half a sample counts as half a sample, so that a ratio stays finite."""
    kind, columns = _corruptions(block)
    ours, theirs = (tallies.drops(block.recipes[name], columns, clean) for name in (recipe, control))
    common = ours.seen & theirs.seen
    met = np.asarray(common.any(axis=(0, 2)))
    if not met.any():
        return Gaps({})
    names, n = np.array([block.noises[i].name for i in columns])[met], int(common[:, met].any(axis=2).sum(axis=0).min())
    bi, fp = _paired(ours.columns(met), theirs.columns(met), bootstrap)
    means = {str(name): tuple(each[:, names == name].mean(axis=1) for each in (bi, fp)) for name in np.unique(names)}
    ratios = {name: np.asarray(np.maximum(fp, 0.5 / n) / np.maximum(bi, 0.5 / n)) for name, (bi, fp) in means.items()}
    small = tuple(name for name, pair in means.items() if min(each[0] for each in pair) < 0.5 / n)
    return Gaps(ratios, n, len(names), small, kind)


def _corruptions(block: Block) -> tuple[str, list[int]]:
    """The columns of the corruptions that are a benchmark's, and the kind of input that they are of."""
    found = {kind: _natural(block, names) for kind, names in CORRUPTIONS.items()}
    return max(found.items(), key=lambda each: len(each[1]))


def _natural(block: Block, names: frozenset[str]) -> list[int]:
    return block.columns(lambda noise: noise.family == "natural" and noise.name in names)


def _paired(ours: Tally, theirs: Tally, bootstrap: Bootstrap) -> tuple[Array, Array]:
    """Shares of both on the rows in common: (1 + resamples)×cells each, the first line of all samples."""
    common = ours.seen & theirs.seen
    return _shares(ours.only(common), bootstrap), _shares(theirs.only(common), bootstrap)


def _shares(tally: Tally, bootstrap: Bootstrap) -> Array:
    hit, seen = tally.by_sample()
    hits, counts = (np.concatenate([each.sum(axis=0, dtype=float)[None], bootstrap.sums(each)]) for each in (hit, seen))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(counts > 0, hits / counts, np.nan))
