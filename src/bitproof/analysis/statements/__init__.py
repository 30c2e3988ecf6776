"""What RobustMQ and its kind have stated, tested on a run: supported, contradicted or undecided. One file a group of statements."""

from __future__ import annotations

from typing import Any

import polars as pl

from bitproof.analysis.audit import HOLDS, audited
from bitproof.analysis.statements import adversarial, natural, perturbation, system, training
from bitproof.analysis.statements.judge import CONTRADICTED, SUPPORTED, Judged, cases, judge, lines

#: In the order of their numbers.
STATEMENTS = tuple(
    sorted(
        (each for group in (adversarial, natural, system, training, perturbation) for each in group.STATEMENTS),
        key=lambda statement: (int(statement.id.strip("Fwx")), statement.id),
    )
)

COLUMNS = pl.Schema(
    {name: pl.String() for name in ("id", "status", "statement")}
    | {name: pl.Float64() for name in ("effect", "low", "high")}
    | {"unit": pl.String(), "n": pl.Int64(), "comparisons": pl.Int64(), "agree": pl.Int64()}
    | {"p_for": pl.Float64(), "p_against": pl.Float64()}
    | {name: pl.String() for name in ("verdict", "why", "published", "check", "source")}
)
COMPARISONS = pl.Schema(
    {name: pl.String() for name in ("id", "task", "model", "defense", "comparison", "side")}
    | {name: pl.Float64() for name in ("effect", "low", "high")}
    | {"n": pl.Int64(), "p": pl.Float64(), "published": pl.Float64()}
)


def findings(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Test the ``STATEMENTS`` on ``rows`` (columns of ``core.SampleRow``).

    Returns one line a statement, with ``COLUMNS``, and one a comparison, with ``COMPARISONS``.
    ``status``: supported where every comparison that the statement needs agrees beyond chance, contradicted where one goes the
    other way beyond chance, else undecided; both p-values are corrected together over all statements (Holm), so the chance of any
    wrong word is at most 5 %. ``effect``: the mean over the comparisons in the statement's direction, with its 95 % interval.
    ``verdict``: the masking audit's, without whose "holds" nothing under attack is decided. ``why``: what decided, or is missing.
    A comparison's ``p`` is one-sided, for the statement, and not corrected. Samples are what is drawn: intervals and tests are
    about other samples, not about other trainings. Rows behind a defense do not enter: no statement is about one.
    """
    told = [(block, found) for block, found in audited(rows) if block.defense == "none"]
    judged = judge(cases(STATEMENTS, [block for block, _ in told]), told)
    every = [line for each in judged for line in lines(each)]
    return pl.DataFrame([_line(each) for each in judged], schema=COLUMNS), pl.DataFrame(every, schema=COMPARISONS)


def _line(judged: Judged) -> dict[str, Any]:
    statement, found, values = judged.case.statement, judged.case.comparisons, [each.value.item() for each in judged.levels]
    line = {
        "id": statement.id,
        "status": judged.status,
        "statement": statement.text,
        "unit": statement.unit,
        "comparisons": len(found),
        "agree": sum(value > 0 for value in values),
        "verdict": judged.verdict,
        "why": _why(judged, values),
        "published": statement.published or None,
        "check": statement.check,
        "source": statement.source,
    }
    if judged.effect is None:
        return line
    value, low, high, n = (part.item() for part in judged.effect)
    return line | {"effect": value, "low": low, "high": high, "n": n, "p_for": judged.p_for, "p_against": judged.p_against}


def _why(judged: Judged, values: list[float]) -> str:
    case = judged.case
    if not case.comparisons:
        return f"needs: {'; '.join(case.lacks)}"
    i = min(range(len(values)), key=values.__getitem__)
    each, level = case.comparisons[i], judged.levels[i]
    least = f"{each.what}: {values[i]:+.1f} [{level.low.item():.1f}, {level.high.item():.1f}]"
    said = {CONTRADICTED: "against it", SUPPORTED: "least for it"}.get(judged.status, "furthest from it")
    if judged.verdict not in (None, HOLDS):
        return f"the masking audit is {judged.verdict}: see 'bitproof audit'; {said}: {least}"
    return f"{said}: {least}"
