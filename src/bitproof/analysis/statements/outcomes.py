"""What is compared: a number a sample and seed, and differences of such numbers, so that every comparison is paired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Literal

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import CONTROLS, Block, Cells, Noise
from bitproof.analysis.estimates import Tally
from bitproof.analysis.intervals import Array
from bitproof.analysis.naming import ladders
from bitproof.analysis.statements.published import combined


@dataclass(frozen=True)
class Outcome:
    """``value`` wherever ``seen``, both sample × seed. Sums and differences count where all parts were seen."""

    value: Array
    seen: Array

    @classmethod
    def of(cls, tally: Tally) -> Outcome:
        """The mean over the cells of ``tally``, of the samples that were seen in all of them."""
        return cls(tally.hit.mean(axis=1), np.asarray(tally.seen.all(axis=1)))

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.value + other.value, self.seen & other.seen)

    def __sub__(self, other: Outcome) -> Outcome:
        return self + -1 * other

    def __rmul__(self, factor: float) -> Outcome:
        return Outcome(factor * self.value, self.seen)

    @property
    def mean(self) -> float:
        """The mean over samples, seeds pooled."""
        return float(self.value[self.seen].mean()) if self.seen.any() else float("nan")

    @property
    def tally(self) -> Tally:
        """As a tally of one cell."""
        return Tally(self.value[:, None], self.seen[:, None])

    def by_sample(self) -> Array:
        """The mean over seeds of each sample; 0 where it was never seen."""
        count = self.seen.sum(axis=1)
        return np.asarray(np.where(self.seen, self.value, 0.0).sum(axis=1) / np.maximum(count, 1))


def mean(outcomes: Sequence[Outcome]) -> Outcome:
    """The mean of several outcomes."""
    return 1 / len(outcomes) * reduce(Outcome.__add__, outcomes)


def log_ratio(ours: Outcome, theirs: Outcome) -> Outcome | None:
    """The logarithm of the ratio of two means, written as a mean over samples; None where one of them is 0.

    Formula: ln(ā/b̄) + aᵢ/ā − bᵢ/b̄, whose mean is ln(ā/b̄) and whose spread is that of the ratio (delta method).
    """
    seen = ours.seen & theirs.seen
    a, b = Outcome(ours.value, seen).mean, Outcome(theirs.value, seen).mean
    if not (a > 0 and b > 0):
        return None
    return Outcome(np.log(a / b) + ours.value / a - theirs.value / b, seen)


@dataclass(frozen=True)
class Comparison:
    """One paired comparison that a statement makes: ``outcome`` is above 0 where the statement says so.

    ``side``: the statement needs it (``for``), or is refuted by its opposite (``against``), or both. ``recipes`` and ``attacks``:
    whose masking audit it rests on. ``published``: the same difference in the published figures, points.
    """

    block: Block
    what: str
    outcome: Outcome
    side: Literal["for", "against", "both"] = "both"
    recipes: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    published: float | None = None


#: The outcomes of some recipes in the cells that all of them have; empty where there is no such cell.
Score = Callable[[Block, Sequence[str]], list[Outcome]]


def low_bit(block: Block) -> list[str]:
    """The recipes that are no control."""
    return [recipe for recipe in block.recipes if recipe not in CONTROLS]


def of_cells(block: Block, recipes: Sequence[str]) -> list[Cells]:
    """The cells of each recipe."""
    return [block.recipes[recipe] for recipe in recipes]


def common(block: Block, recipes: Sequence[str], wanted: Callable[[Noise], bool]) -> list[int]:
    """The columns of the noises that are ``wanted`` and that all ``recipes`` have rows of."""
    return [i for i in block.columns(wanted) if all(cells.seen[:, i].any() for cells in of_cells(block, recipes))]


def accuracy(wanted: Callable[[Noise], bool], *, with_clean: bool = False) -> Score:
    """Return the score "mean accuracy over the noises that are wanted", the clean cell among them where ``with_clean``."""

    def score(block: Block, recipes: Sequence[str]) -> list[Outcome]:
        columns = common(block, recipes, wanted)
        clean = [block.clean] if with_clean and block.clean is not None and columns else []
        return [Outcome.of(tallies.hits(cells, [*clean, *columns])) for cells in of_cells(block, recipes)] if columns else []

    return score


#: Setting (a corruption, a resize) → the accuracy of each of some recipes.
Settings = Callable[[Block, tuple[str, ...]], dict[str, list[Outcome]]]

#: Setting → how much it harms a recipe.
Harm = dict[str, Outcome]


def harms(block: Block, by: Settings) -> Iterator[tuple[str, Harm, tuple[str, ...]]]:
    """Each low-bit recipe, how much each setting harms it, and the recipes that this rests on."""
    for name in low_bit(block):
        yield name, {setting: -1 * found for setting, (found,) in by(block, (name,)).items()}, (name,)


def excesses(block: Block, by: Settings) -> Iterator[tuple[str, Harm, tuple[str, ...]]]:
    """The same beyond what each setting does to the control."""
    for name in low_bit(block) if block.control else ():
        pair = (name, str(block.control))
        yield name, {setting: theirs - ours for setting, (ours, theirs) in by(block, pair).items()}, pair


def against_control(block: Block, score: Score, sign: int, figure: str = "") -> Iterator[Comparison]:
    """Compare each low-bit recipe with the control; ``sign`` +1 says that it is above. ``figure``: what was published of it."""
    for recipe in low_bit(block) if block.control else ():
        pair = (recipe, str(block.control))
        if found := score(block, pair):
            told = combined({(figure, recipe): sign, (figure, pair[1]): -sign})
            yield Comparison(block, f"{recipe} against {pair[1]}", sign * (found[0] - found[1]), recipes=pair, published=told)


def along_bits(block: Block, score: Score, sign: int, figure: str = "") -> Iterator[Comparison]:
    """Ask whether a score rises (``sign`` +1) or falls with the bits of a method.

    For it: the slope of a straight line through the ranks of the bit-widths, points a step. Against it: any step that goes the
    other way.
    """
    for method, rungs in ladders(block.recipes).items():
        names = tuple(recipe for _, recipe in rungs)
        found = score(block, names)
        if not found:
            continue
        ranks = np.arange(len(found)) - (len(found) - 1) / 2
        weights = (sign * ranks / (ranks**2).sum()).tolist()
        slope = reduce(Outcome.__add__, [weight * outcome for weight, outcome in zip(weights, found, strict=True)])
        told = combined({(figure, name): weight for name, weight in zip(names, weights, strict=True)})
        yield Comparison(block, f"{method}: slope over {len(found)} bit-widths", slope, "for", names, published=told)
        for (few, a), (many, b) in pairwise(zip(names, found, strict=True)):
            told = combined({(figure, many): sign, (figure, few): -sign})
            yield Comparison(block, f"{many} against {few}", sign * (b - a), "against", (few, many), published=told)
