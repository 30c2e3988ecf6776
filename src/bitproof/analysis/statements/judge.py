"""From comparisons to a word: supported, contradicted or undecided, with the chance of a wrong one bounded over all statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bitproof.analysis.audit import HOLDS, Findings, verdict_on, worst_of
from bitproof.analysis.blocks import Block
from bitproof.analysis.estimates import Level
from bitproof.analysis.intervals import Array, band
from bitproof.analysis.permutation import holm, one_sided
from bitproof.analysis.statements.outcomes import Comparison
from bitproof.analysis.statements.statement import Statement

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"

#: How often, at most, any statement is called supported or contradicted that is not.
LEVEL = 0.05


@dataclass(frozen=True)
class Case:
    """A statement with its comparisons in a run, or with what the run lacks for it."""

    statement: Statement
    comparisons: tuple[Comparison, ...]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A case with its two p-values after Holm, the p-value of each comparison, its verdict and its effect."""

    case: Case
    p_for: float
    p_against: float
    p: Array
    levels: tuple[Level, ...]
    effect: Level | None
    verdict: str | None = None

    @property
    def status(self) -> str:
        """A counterexample weighs more than agreement; without an audit that holds nothing under attack is decided."""
        if self.verdict not in (None, HOLDS):
            return UNDECIDED
        return CONTRADICTED if self.p_against <= LEVEL else SUPPORTED if self.p_for <= LEVEL else UNDECIDED


def cases(statements: Sequence[Statement], blocks: Sequence[Block]) -> list[Case]:
    """Make the comparisons of every statement; those that no sample has seen are left out."""
    return [_case(statement, blocks) for statement in statements]


def _case(statement: Statement, blocks: Sequence[Block]) -> Case:
    found = tuple(each for block in blocks for each in statement.compare(block) if each.outcome.seen.any())
    if found:
        return Case(statement, found)
    lacks = tuple(need.text for need in statement.needs if not any(need.met(block) for block in blocks))
    return Case(statement, (), lacks or tuple(f"{need.text}, in one model and task" for need in statement.needs))


def judge(cases: Sequence[Case], told: Sequence[tuple[Block, Findings]]) -> list[Judged]:
    """Judge the cases together.

    A statement is about all its comparisons. p_for: the largest p-value of those that it needs (intersection–union: valid without
    a correction). p_against: of the comparison that goes furthest the other way, corrected for their number (max-t). Both of
    every statement that could be tested enter one Holm correction, so that the chance of any wrong word is at most ``LEVEL``.
    Source: Berger, Technometrics 24 (1982) 295; Westfall & Young (1993) §2.6; Holm (1979).
    """
    every = [each for case in cases for each in case.comparisons]
    spans = np.cumsum([0, *(len(case.comparisons) for case in cases)]).tolist()
    sides = [[i for i in range(a, b) if every[i].side != "for"] for a, b in pairwise(spans)]
    p, against = one_sided(_stacked(every), sides, "findings")
    needed = [max((p[i] for i in range(a, b) if every[i].side != "against"), default=1.0) for a, b in pairwise(spans)]
    tested = [i for i, case in enumerate(cases) if case.comparisons]
    adjusted = np.ones((2, len(cases)))
    adjusted[:, tested] = holm(np.concatenate([np.array(needed)[tested], against[tested]])).reshape(2, -1)
    audits = {id(block): found for block, found in told}
    parts = [p[a:b] for a, b in pairwise(spans)]
    return [
        _judged(case, pair, part, audits)
        for case, pair, part in zip(cases, zip(*adjusted.tolist(), strict=True), parts, strict=True)
    ]


def _stacked(comparisons: Sequence[Comparison]) -> Array:
    """Samples × comparisons; the samples of different blocks are below each other, each comparison 0 outside its own."""
    blocks = {id(each.block): each.block for each in comparisons}
    starts = dict(zip(blocks, np.cumsum([0, *(block.samples for block in blocks.values())]).tolist(), strict=False))
    stacked = np.zeros((sum(block.samples for block in blocks.values()), len(comparisons)), np.float32)
    for i, each in enumerate(comparisons):
        start = starts[id(each.block)]
        stacked[start : start + each.block.samples, i] = each.outcome.by_sample()
    return stacked


def _judged(case: Case, adjusted: tuple[float, float], p: Array, audits: dict[int, Findings]) -> Judged:
    drawn = [_draws(each) for each in case.comparisons]
    levels = tuple(_level([each], [draws]) for each, draws in zip(case.comparisons, drawn, strict=True))
    needed = [i for i, each in enumerate(case.comparisons) if each.side != "against"]
    effect = _level([case.comparisons[i] for i in needed], [drawn[i] for i in needed]) if needed else None
    verdict = worst_of(_verdicts(case, audits)) if case.statement.attacked and case.comparisons else None
    return Judged(case, adjusted[0], adjusted[1], p, levels, effect, verdict)


def _verdicts(case: Case, audits: dict[int, Findings]) -> Iterator[str]:
    for each in case.comparisons:
        yield from (verdict_on(audits[id(each.block)].get(recipe, {}), each.attacks) for recipe in each.recipes)


def _level(comparisons: Sequence[Comparison], draws: Sequence[Array]) -> Level:
    """The mean over ``comparisons``, whose resampled values are ``draws``, in points."""
    value, n = np.array(100 * np.mean([each.outcome.mean for each in comparisons])), np.array(min(map(_samples, comparisons)))
    return Level(value, *band(value, 100 * np.mean(draws, axis=0), n, (-np.inf, np.inf)), n)


def _draws(comparison: Comparison) -> Array:
    hit, seen = (part[:, 0] for part in comparison.outcome.tally.by_sample())
    bootstrap = comparison.block.bootstrap
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(bootstrap.sums(hit) / bootstrap.sums(seen))


def _samples(comparison: Comparison) -> int:
    return int(comparison.outcome.seen.any(axis=1).sum())


def lines(judged: Judged) -> Iterator[dict[str, Any]]:
    """Yield one line a comparison."""
    for each, p, found in zip(judged.case.comparisons, judged.p, judged.levels, strict=True):
        block = each.block
        yield {
            "id": judged.case.statement.id,
            "task": block.task,
            "model": block.model,
            "defense": block.defense,
            "comparison": each.what,
            "side": each.side,
            "effect": found.value.item(),
            "low": found.low.item(),
            "high": found.high.item(),
            "n": found.n.item(),
            "p": float(p),
            "published": each.published,
        }
