"""The masking audit: is an adversarial figure more than a hidden gradient? From rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.blocks import KNOWN, Block, Cells, blocks
from bitproof.analysis.budgets import Budget, budget, free
from bitproof.analysis.checks import CHECKS, FAILED, MISSING, SATURATED, Case, Check, checked, fallen, mean
from bitproof.analysis.estimates import EACH, EACH_SIGNED, difference, level
from bitproof.analysis.roles import role

HOLDS, MASKED, UNDECIDED = "holds", "masked", "undecided"

_FLOATS = ("ste", "worst", "worst_low", "worst_high", "gap", "gap_low", "gap_high", "excess", "excess_low", "excess_high")
_EVIDENCE = ("zero_exact", "zero_ste", "saturated", "margin", "logit_norm", "cosine")
COLUMNS = pl.Schema(
    {
        name: pl.String()
        for name in ("task", "model", "recipe", "defense", "label", "norm", "eps", "verdict", "why", "next", "control")
    }
    | {"n": pl.Int64(), "attacks": pl.Int64()}
    | {name: pl.Float64() for name in (*_FLOATS, *_EVIDENCE)}
    | {f"check_{check.__name__}": pl.String() for check in CHECKS}
)


@dataclass(frozen=True)
class Finding:
    """What an audit says of one recipe in one ball."""

    case: Case
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """``masked`` where a check failed, ``undecided`` where one is open, else, and where nothing stands, ``holds``."""
        if self.case.fallen:
            return HOLDS
        states = {check.state for check in self.checks}
        return MASKED if FAILED in states else UNDECIDED if MISSING in states else HOLDS

    @property
    def why(self) -> str:
        """The checks that made the verdict, or that all were passed."""
        if self.case.fallen:
            return "nothing stands under the gradient attack, so there is no robustness that a hidden gradient could pretend"
        deciding = {MASKED: FAILED, UNDECIDED: MISSING}.get(self.verdict)
        said = [check.said for check in self.checks if check.state == deciding]
        return "; ".join(said) or f"all {len(self.checks)} checks were passed"

    @property
    def next(self) -> tuple[str, ...]:
        """What to run for an answer to the open checks, as noises of a grid."""
        if self.case.fallen:
            return ()
        return tuple(dict.fromkeys(spec for check in self.checks for spec in check.next))


#: Norm and radius.
Ball = tuple[str, Fraction]

#: Recipe → ball → what was found.
Findings = dict[str, dict[Ball, Finding]]


def audit(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one line for each recipe and ball that was attacked (columns of ``core.SampleRow`` in), with ``COLUMNS``.

    ``worst``: accuracy where a sample counts only if it stands under every attack and gradient mode in the ball, %. ``ste``: under
    PGD through the straight-through estimator. ``gap`` = ste − worst, points; ``excess``: the gap minus the control's own under
    the same attacks, paired, with 95 % intervals. Of clean pictures that are right, ``zero_MODE``: whose input gradient is zero,
    %; ``saturated``: whose margin silences the cross-entropy in float32, %; ``margin`` (nats, median), ``logit_norm`` and
    ``cosine`` with the control's gradient (means). ``check_NAME``: ok, failed or missing (see ``analysis.checks``). ``verdict``:
    ``masked`` where a check failed, ``undecided`` where one is missing, else, and where nothing stands under the gradient attack,
    ``holds``; ``why`` gives the reasons, ``next`` what to paste into a grid's noises.
    Behind a defense that knows the label (``label``) no accuracy is given: ``defended`` gives it with its controls.
    """
    lines = [_line(finding) for _, found in audited(rows, known=True) for told in found.values() for finding in told.values()]
    return pl.DataFrame(lines, schema=COLUMNS)


def audited(rows: pl.DataFrame, *, known: bool = False) -> Iterator[tuple[Block, Findings]]:
    """Yield the blocks of ``rows``, each with what an audit finds in it; ``known``: also those whose defense knows the label."""
    return ((block, findings(block)) for block in blocks(rows, known=known))


def findings(block: Block) -> Findings:
    """Audit every recipe of ``block`` in every ball; the control first, since a masked one cannot be taken off the others."""
    found: Findings = {}
    for recipe in sorted(block.recipes, key=lambda recipe: recipe != block.control):
        control = found.get(str(block.control), {})
        told: dict[Ball, Finding] = {}
        for alone in _cases(block, recipe):
            ball = alone.ball.norm, alone.ball.eps
            trusted = ball in control and control[ball].verdict != MASKED
            case = replace(alone, control=block.recipes[str(block.control)]) if trusted else alone
            told[ball] = Finding(case, tuple(checked(case)))
        found[recipe] = told
    return found


def _cases(block: Block, recipe: str) -> Iterator[Case]:
    cells = block.recipes[recipe]
    balls: dict[Ball, list[int]] = defaultdict(list)
    labels: dict[Ball, Budget] = {}
    for column in attacked(block, cells):
        if ball := budget(block.noises[column].noise):
            balls[ball.norm, ball.eps].append(column)
            labels.setdefault((ball.norm, ball.eps), ball)
    roomy = [i for key, columns in balls.items() if free(labels[key]) for i in columns if _searches(block, i)]
    evidence = block.evidence.get(recipe, block.nothing)
    for key in sorted(balls):
        if not free(labels[key]) and any(_searches(block, i) for i in balls[key]):
            yield Case(block, recipe, labels[key], _by_role(block, balls[key]), roomy, None, evidence)


def attacked(block: Block, cells: Cells) -> list[int]:
    """The columns of attacks that a recipe has rows of."""
    return [i for i in block.columns(lambda noise: noise.family == "adversarial") if cells.seen[:, i].any()]


def _searches(block: Block, column: int) -> bool:
    return role(block.noises[column].noise) != "noise"


def _by_role(block: Block, columns: Iterable[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for column in columns:
        found[role(block.noises[column].noise)].append(column)
    return dict(found)


def verdict_on(told: Mapping[Ball, Finding], noises: Iterable[str]) -> str:
    """The verdict on a figure made from ``noises``: the most doubtful of their balls', or of all where everything may change."""
    balls = [budget(noise) for noise in noises]
    keys = {(ball.norm, ball.eps) for ball in balls if ball}
    chosen = list(told) if all(ball and free(ball) for ball in balls) else keys
    return worst_of(told[key].verdict if key in told else UNDECIDED for key in chosen)


def worst_of(verdicts: Iterable[str]) -> str:
    """The verdict on a figure over several balls: the most doubtful of theirs."""
    told = set(verdicts)
    return next((verdict for verdict in (MASKED, UNDECIDED, HOLDS) if verdict in told), UNDECIDED)


def _line(finding: Finding) -> dict[str, Any]:
    case, block = finding.case, finding.case.block
    worst = level(tallies.union(tallies.hits(case.cells, case.all)), EACH, block.bootstrap)
    line: dict[str, Any] = {
        "task": block.task,
        "model": block.model,
        "recipe": case.recipe,
        "defense": block.defense,
        "label": block.label,
        "norm": case.ball.norm,
        "eps": case.ball.text,
        "verdict": finding.verdict,
        "why": finding.why,
        "next": quoted(finding.next),
        "control": block.control if case.control is not None else None,
        "n": worst.n.item(),
        "attacks": len(case.all),
    }
    checks = {f"check_{check.name}": check.state for check in finding.checks}
    figures = {} if block.label == KNOWN else _spread("worst", worst) | _gap(case)
    return line | figures | _told(case.evidence) | checks


def quoted(specs: Iterable[str]) -> str:
    """Specs as they stand in a grid's list of noises."""
    return ", ".join("'" + spec + "'" if '"' in spec else '"' + spec + '"' for spec in specs)


def _gap(case: Case) -> dict[str, float]:
    if case.reference is None:
        return {}
    block, before = case.block, [case.reference]
    ste = level(tallies.hits(case.cells, before), EACH, block.bootstrap)
    ours = fallen(case.cells, before, case.all)
    found = {"ste": ste.value.item(), **_spread("gap", level(ours, EACH, block.bootstrap))}
    control = case.compared(case.all)
    if control is not None:
        found |= _spread("excess", difference(ours, fallen(control, before, case.all), EACH_SIGNED, block.bootstrap))
    return found


def _spread(name: str, figure: Any) -> dict[str, float]:
    return {name: figure.value.item(), f"{name}_low": figure.low.item(), f"{name}_high": figure.high.item()}


def _told(evidence: pl.DataFrame) -> dict[str, Any]:
    """The means of an evidence cell over the pictures that are right."""
    right = evidence.filter("correct")
    if right.is_empty():
        return {}
    shares = {name: 100 * float(right[name].to_numpy().mean()) for name in ("zero_exact", "zero_ste")}
    return shares | {
        "saturated": 100 * float((right["margin"].to_numpy() > SATURATED).mean()),
        "margin": right["margin"].median(),
        "logit_norm": mean(right["logit_norm"]),
        "cosine": mean(right["cosine"]),
    }
