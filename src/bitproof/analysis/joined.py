"""What a noise adds to another one: answers that change when it joins, such as those of integers on foggy pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from bitproof.analysis import tallies
from bitproof.analysis.audit import Ball, Finding, verdict_on
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.budgets import NORMS
from bitproof.analysis.estimates import EACH, EACH_SIGNED, Tally
from bitproof.analysis.measures import Figure, Measure
from bitproof.analysis.naming import RESIZES
from bitproof.core import Spec, split

FIGURES = {
    "flips": Figure(
        "Predictions changed by the last noise",
        "%",
        "lower",
        "100·|{i : f(A+B(x_i)) ≠ f(A(x_i))}| / n for the joined noise A+B; of B alone, A is the clean picture",
        "churn: Milani Fard et al., NIPS 2016, with A in the place of clean",
    ),
    "robust_joined": Figure(
        "Robust accuracy of the changed network",
        "%",
        "higher",
        "100·|{i : f'(x_i^adv) = y_i}| / n, the attack A run on the network f' that B made",
        "Croce & Hein, arXiv 2003.01690",
    ),
    "robust_change": Figure(
        "Robust accuracy lost by the changed network",
        "%",
        "lower",
        "100·(|{i : f(x_i^adv) = y_i}| − |{i : f'(x_i^adv) = y_i}|) / n for A+B against A, each attacked by itself",
        "bitproof; a session of integers and its simulated twin under the same attack",
    ),
}


def measures(block: Block, cells: Cells, told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    """Yield ``flips:A+B`` for each joined noise whose part A has a cell too, and ``flips:B``.

    B is the last noise on a sample's way, so both meet the very same pictures up to it. A resize on another decoder is no such
    B: the two are one setting of the pipeline, and a map of the report shows all of them. Of an attack A on the network that B made
    ``robust_joined:A+B`` and, where A has a cell, ``robust_change:A+B``; the verdict is that of A's ball on the network itself.
    """
    for column, base in _pairs(block, cells).items():
        yield Measure(f"flips:{block.noises[column].noise}", partial(_changes, column=column, base=base), _note(block, base))
    yield from _attacked(block, cells, told)


def _attacked(block: Block, cells: Cells, told: Mapping[Ball, Finding]) -> Iterator[Measure]:
    at = {noise.noise: i for i, noise in enumerate(block.noises) if cells.seen[:, i].any()}
    for noise, column in at.items():
        attack = _attack(noise)
        if attack is None or noise.endswith(attack):
            continue  # alone, or last: nothing changed the network
        verdict = verdict_on(told, [attack])
        note = f"audit: {verdict}, of the network itself"
        yield Measure(f"robust_joined:{noise}", partial(tallies.hits, columns=[column]), note, EACH, verdict=verdict)
        if (base := at.get(_joined(noise))) is not None:
            lost = partial(tallies.drops, columns=[column], clean=base)
            yield Measure(f"robust_change:{noise}", lost, f"{_note(block, base)}; {note}", EACH_SIGNED, verdict=verdict)


def _attack(noise: str) -> str | None:
    """The attack among joined noises: its name ends in its norm."""
    return next((part for part in split(noise, "+") if Spec.parse(part).name.rpartition("-")[2] in NORMS), None)


def _changes(cells: Cells, column: int, base: int) -> Tally:
    return tallies.changes(cells, [column], base)


def _note(block: Block, base: int) -> str:
    return f"against {block.noises[base].noise}"


def _joined(noise: str) -> str:
    """What the last noise joined; nothing where it stands alone."""
    return "+".join(split(noise, "+")[:-1])


def _pairs(block: Block, cells: Cells) -> dict[int, int]:
    """Column → the column that it is compared with, first those against clean."""
    seen = [block.noises[i].noise for i in range(len(block.noises)) if cells.seen[:, i].any()]
    columns = {noise.noise: i for i, noise in enumerate(block.noises)}
    at = {noise: columns[noise] for noise in seen if _attack(noise) is None and cells.gradient[columns[noise]] is None}
    joined = [noise for noise in at if _joined(noise) in at and not split(noise, "+")[-1].startswith(RESIZES)]
    pairs = {at[noise]: at[_joined(noise)] for noise in joined}
    last = {split(noise, "+")[-1] for noise in joined}
    alone = [at[noise] for noise in at if noise in last]
    return {**({i: block.clean for i in alone} if block.clean is not None else {}), **pairs}
