"""F1 and F2: under attack. Each as published, attack by attack, and again for the worst case over the attacks of a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Noise
from bitproof.analysis.budgets import budget, budgets
from bitproof.analysis.roles import boundless, role
from bitproof.analysis.statements.outcomes import Comparison, Outcome, Score, against_control, along_bits, common, of_cells
from bitproof.analysis.statements.statement import CLEAN, CONTROL, LADDER, LOW_BIT, Statement, noises

_SOURCE = "RobustMQ, arXiv 2308.02350, abstract"
_CONDITIONAL = "conditional robustness on the pictures that all compared networks get right when clean"

#: How the attacks of a block are put into groups: label → specs.
Grouping = Callable[[Sequence[str]], dict[str, list[str]]]

#: Side by side: recipes against the control, or along their bits.
Shape = Callable[[Block, Score, int], Iterator[Comparison]]


def _attack(noise: Noise) -> bool:
    return (
        noise.family == "adversarial" and bool(budget(noise.noise)) and not boundless(noise.noise) and role(noise.noise) != "noise"
    )


def _each(specs: Sequence[str]) -> dict[str, list[str]]:
    return {spec: [spec] for spec in specs}


def _balls(specs: Sequence[str]) -> dict[str, list[str]]:
    return {ball: members for ball, members in budgets(specs).items() if not ball.startswith("level=")}


def _survival(members: Sequence[str]) -> Score:
    """Whether a picture that is right when clean stands under every one of ``members``; nothing where none of any recipe does."""

    def score(block: Block, recipes: Sequence[str]) -> list[Outcome]:
        columns = common(block, recipes, lambda noise: noise.noise in members)
        if len(columns) < len(members) or block.clean is None:
            return []
        stood = [tallies.union(tallies.survivors(cells, columns, block.clean)) for cells in of_cells(block, recipes)]
        return [Outcome.of(tally) for tally in stood] if any((tally.hit & tally.seen).any() for tally in stood) else []

    return score


def _compare(grouping: Grouping, shape: Shape, sign: int) -> Callable[[Block], Iterator[Comparison]]:
    def compare(block: Block) -> Iterator[Comparison]:
        attacks = [block.noises[i].noise for i in block.columns(_attack)]
        for label, members in grouping(attacks).items():
            for found in shape(block, _survival(members), sign):
                what = f"{found.what}, {label}"
                yield Comparison(block, what, found.outcome, found.side, found.recipes, tuple(members))

    return compare


_ATTACK = noises('an attack with a budget ("pgd-linf:eps=2/255")', _attack)
_F1 = "Quantized networks withstand attacks better than full precision"
_F2 = "More bits, less robustness to attacks"

STATEMENTS = (
    Statement(
        "F1",
        _F1,
        f"every low-bit recipe above the control, for every attack and budget, {_CONDITIONAL}",
        _SOURCE,
        _compare(_each, against_control, +1),
        (CONTROL, LOW_BIT, CLEAN, _ATTACK),
        attacked=True,
    ),
    Statement(
        "F1w",
        f"{_F1}, in the worst case",
        f"as F1, a picture counting as withstood where it stands under every attack in the budget, {_CONDITIONAL}",
        "bitproof, after RobustMQ's F1",
        _compare(_balls, against_control, +1),
        (CONTROL, LOW_BIT, CLEAN, _ATTACK),
        attacked=True,
    ),
    Statement(
        "F2",
        _F2,
        f"for every method, attack and budget the slope along the bits is negative, and no step is positive, {_CONDITIONAL}",
        _SOURCE,
        _compare(_each, along_bits, -1),
        (LADDER, CLEAN, _ATTACK),
        attacked=True,
    ),
    Statement(
        "F2w",
        f"{_F2}, in the worst case",
        f"as F2, a picture counting as withstood where it stands under every attack in the budget, {_CONDITIONAL}",
        "bitproof, after RobustMQ's F2",
        _compare(_balls, along_bits, -1),
        (LADDER, CLEAN, _ATTACK),
        attacked=True,
    ),
)
