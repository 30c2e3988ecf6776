"""Attacks: each one, the worst of those at one budget, and the worst of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.budgets import budgets
from bitproof.analysis.estimates import EACH
from bitproof.analysis.measures import Figure, Measure, refused

_AR_SOURCE = "RobustART, arXiv 2109.05211: adversarial robustness and its worst case"
_ROBUST_SOURCE = "Croce & Hein, arXiv 2003.01690; RobustBench, arXiv 2010.09670"

FIGURES = {
    "ar": Figure(
        "Conditional robustness", "%", "higher", "100·|{i ∈ C : f(x_i^adv) = y_i}| / |C|, C = correct when clean", _AR_SOURCE
    ),
    "robust": Figure("Robust accuracy", "%", "higher", "100·|{i : f(x_i^adv) = y_i}| / n", _ROBUST_SOURCE),
    "ar_worst": Figure(
        "Conditional robustness, worst attack a sample",
        "%",
        "higher",
        "100·|{i ∈ C : correct under every attack}| / |C|",
        _AR_SOURCE,
    ),
    "robust_worst": Figure(
        "Robust accuracy, worst attack a sample", "%", "higher", "100·|{i : correct under every attack}| / n", _ROBUST_SOURCE
    ),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``ar`` and ``robust`` of each attack, of each budget's worst case, and of the worst case of all.

    A difference of ``ar`` is taken on the samples that both networks get right when clean, so that it compares equal sets.
    """
    attacks = block.columns(lambda noise: noise.family == "adversarial")
    columns = [i for i in attacks if cells.seen[:, i].any()]
    if not columns:
        yield from (refused(name, "no attack was finished") for name in ("ar_worst", "robust_worst") if attacks)
        return
    for column in columns:
        yield from _pair(block, cells, f":{block.noises[column].noise}", [column])
    named = {block.noises[i].noise: i for i in columns}
    for label, members in budgets(list(named)).items():
        yield from _pair(block, cells, f"_worst:{label}", [named[noise] for noise in members])
    yield from _pair(block, cells, "_worst", columns)


def _pair(block: Block, cells: Cells, suffix: str, columns: list[int]) -> Iterator[Measure]:
    note, clean = _note(block, cells, columns), block.clean
    if clean is None or not cells.seen[:, clean].any():
        yield refused(f"ar{suffix}", "no clean cell to tell which samples are right when clean")
    else:
        yield Measure(f"ar{suffix}", lambda each: tallies.union(tallies.survivors(each, columns, clean)), note, EACH)
    yield Measure(f"robust{suffix}", lambda each: tallies.union(tallies.hits(each, columns)), note, EACH)


def _note(block: Block, cells: Cells, columns: Sequence[int]) -> str:
    modes = sorted({cells.gradient[i] or "none" for i in columns})
    note = f"gradient: {', '.join(modes)}; no masking audit yet: read as an upper bound"
    if len(columns) > 1:
        note += f"; worst of {len(columns)}: {', '.join(block.noises[i].noise for i in columns)}"
    return note
