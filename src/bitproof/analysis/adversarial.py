"""Attacks: each one, the worst of those at one budget, and the worst of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.audit import Ball, Finding, verdict_on
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.budgets import budgets
from bitproof.analysis.estimates import EACH
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused
from bitproof.analysis.roles import boundless

_AR_SOURCE = "RobustART, arXiv 2109.05211: adversarial robustness and its worst case"
_ROBUST_SOURCE = "Croce & Hein, arXiv 2003.01690; RobustBench, arXiv 2010.09670"

FIGURES = {
    "ar": Figure(
        "Conditional robustness", "%", "higher", "100·|{i ∈ C : f(x_i^adv) = y_i}| / |C|, C = correct when clean", _AR_SOURCE
    ),
    "robust": Figure("Robust accuracy", "%", "higher", "100·|{i : f(x_i^adv) = y_i}| / n", _ROBUST_SOURCE),
    "ar_worst": Figure(
        "Conditional robustness, worst attack a sample (WCAR)",
        "%",
        "higher",
        "100·|{i ∈ C : correct under every attack}| / |C|",
        _AR_SOURCE,
    ),
    "ar_common": Figure(
        "Conditional robustness on the commonly correct set, worst attack a sample",
        "%",
        "higher",
        "100·|{i ∈ C : correct under every attack}| / |C|, C = correct when clean for every recipe here",
        "bitproof; conditional robustness of other sets of pictures cannot be compared",
    ),
    "robust_worst": Figure(
        "Robust accuracy, worst attack a sample", "%", "higher", "100·|{i : correct under every attack}| / n", _ROBUST_SOURCE
    ),
}


def measures(block: Block, cells: Cells, told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    """Yield ``ar`` and ``robust`` of each attack, of each budget's worst case, and of the worst case of all budgets.

    Of worst cases ``ar_common`` as well.

    Each carries the verdict of the masking audit, ``told``. An attack that may change everything counts in no worst case.
    A difference of ``ar`` is taken on the samples that both networks get right when clean, so that it compares equal sets.
    """
    attacks = block.columns(lambda noise: noise.family == "adversarial")
    columns = [i for i in attacks if cells.seen[:, i].any()]
    if not columns:
        yield from (refused(name, "no attack was finished") for name in ("ar_worst", "robust_worst") if attacks)
        return
    for column in columns:
        yield from _pair(block, cells, f":{block.noises[column].noise}", [column], told)
    named = {block.noises[i].noise: i for i in columns if not boundless(block.noises[i].noise)}
    for label, members in budgets(list(named)).items():
        yield from _worst(block, cells, f":{label}", [named[noise] for noise in members], told)
    if named:
        yield from _worst(block, cells, "", list(named.values()), told)


def _worst(block: Block, cells: Cells, label: str, columns: list[int], told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    yield from _pair(block, cells, f"_worst{label}", columns, told)
    everybody = _commonly_correct(block)
    if everybody is not None:
        verdict = verdict_on(told, [block.noises[i].noise for i in columns])
        note = f"audit: {verdict}; {len(block.recipes)} recipes in common"
        yield Measure(
            f"ar_common{label}",
            lambda each: tallies.union(tallies.hits(each, columns)).only(everybody),
            note,
            EACH,
            verdict=verdict,
        )


def _commonly_correct(block: Block) -> Array | None:
    """Which samples every recipe gets right when clean, sample×1×seed; None for one recipe alone, or without a clean cell."""
    clean = block.clean
    if clean is None or len(block.recipes) < 2:
        return None
    right = [tallies.hits(cells, [clean]) for cells in block.recipes.values()]
    if not all(tally.seen.any() for tally in right):
        return None
    return np.asarray(np.all([tally.hit & tally.seen for tally in right], axis=0))


def _pair(block: Block, cells: Cells, suffix: str, columns: list[int], told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    verdict = verdict_on(told, [block.noises[i].noise for i in columns])
    note, clean = _note(block, cells, columns, verdict), block.clean
    if clean is None or not cells.seen[:, clean].any():
        yield refused(f"ar{suffix}", "no clean cell to tell which samples are right when clean")
    else:
        yield Measure(
            f"ar{suffix}", lambda each: tallies.union(tallies.survivors(each, columns, clean)), note, EACH, verdict=verdict
        )
    yield Measure(f"robust{suffix}", lambda each: tallies.union(tallies.hits(each, columns)), note, EACH, verdict=verdict)


def _note(block: Block, cells: Cells, columns: Sequence[int], verdict: str) -> str:
    modes = sorted({cells.gradient[i] or "none" for i in columns})
    note = f"gradient: {', '.join(modes)}; audit: {verdict}"
    if len(columns) > 1:
        note += f"; worst of {len(columns)}: {', '.join(block.noises[i].noise for i in columns)}"
    return note
