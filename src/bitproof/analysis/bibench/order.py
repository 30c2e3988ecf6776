"""The order of a run's methods on a track, beside that of BiBench's published figure, as far as the figure tells it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bitproof.analysis.intervals import Array

#: Two published readings that differ by no more count as a tie: each is read off with an error of 0.03 of the disc.
TIED = 0.06

#: What digits of binary fractions may add to a difference.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Order:
    """Ranks of the same methods here and in the published figure, 1 = best, and how far both orders agree.

    ``tau_b`` is None where either order is one tie. ``apart``: pairs that the figure tells apart; ``agree``: those of them that
    stand in its order here.
    """

    ranks: tuple[int, ...]
    published: tuple[int, ...]
    tau_b: float | None
    apart: int
    agree: int


def order(values: Sequence[float], readings: Sequence[float]) -> Order:
    """Return how ``values`` order the methods, and how their published ``readings`` do, both more = better.

    Formula: a_ij = sign(v_i − v_j); b_ij = sign(r_i − r_j), 0 where |r_i − r_j| ≤ ``TIED``; rank_i = 1 + methods ahead of i;
    τ_b = Σ a_ij·b_ij / √(Σ a_ij² · Σ b_ij²) over all pairs.
    Source: Kendall, The treatment of ties in ranking problems, Biometrika 33 (1945).
    Differs from the paper: what is tied by ``TIED`` need not be one group (0.80 and 0.85 may tie with 0.83 and not 0.79 with 0.86).
    """
    ours, theirs = _signs(values, 0.0), _signs(readings, TIED)
    told = np.sqrt((ours != 0).sum() * (theirs != 0).sum())
    return Order(
        _ranks(ours),
        _ranks(theirs),
        float((ours * theirs).sum() / told) if told else None,
        int((theirs != 0).sum()) // 2,
        int((ours * theirs > 0).sum()) // 2,
    )


def ordered(lines: Sequence[Mapping[str, Any]], places: Mapping[tuple[str, str], Collection[Any]]) -> list[dict[str, Any]]:
    """Return ``lines`` with ``rank``, ``radar_rank``, ``ranked``, ``tau_b``, ``pairs_apart``, ``pairs_agree`` and ``order``.

    A line takes part if it has a value and a published reading, and is compared with those of its track whose recipes stand there
    at equal ``places`` (recipe and track → tasks and models): ratios over other data are no order. One that is alone has no rank.
    """
    groups: dict[tuple[str, frozenset[Any]], list[int]] = {}
    for i, line in enumerate(lines):
        if line["value"] is not None and line["radar"] is not None:
            groups.setdefault((line["track"], frozenset(places[line["recipe"], line["track"]])), []).append(i)
    told: dict[int, dict[str, Any]] = {}
    for members in groups.values():
        told |= zip(members, _told([lines[i] for i in members]), strict=True) if len(members) > 1 else {}
    nothing = dict.fromkeys(("rank", "radar_rank", "ranked", "tau_b", "pairs_apart", "pairs_agree", "order"))
    return [{**line, **told.get(i, nothing)} for i, line in enumerate(lines)]


def _told(group: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = order([line["value"] for line in group], [line["radar"] for line in group])
    plain = all(line["recipe"] == f"{line['method']}:w1a1" for line in group)
    key = "method" if plain else "recipe"  # so that the sentences of two groups, which share no recipe, always differ
    names = _sentence([line[key] for line in group], found.ranks)
    agreement = {"tau_b": found.tau_b, "pairs_apart": found.apart, "pairs_agree": found.agree, "order": names}
    pairs = zip(found.ranks, found.published, strict=True)
    return [{"rank": ours, "radar_rank": theirs, "ranked": len(group), **agreement} for ours, theirs in pairs]


def _sentence(names: Sequence[str], ranks: Sequence[int]) -> str:
    """Join the names by > and, between equal ranks, =, best first."""
    rows = sorted(zip(ranks, names, strict=True))
    joins = ["", *(" = " if a == b else " > " for (a, _), (b, _) in pairwise(rows))]
    return "".join(join + name for join, (_, name) in zip(joins, rows, strict=True))


def _signs(values: Sequence[float], tied: float) -> Array:
    gaps = np.subtract.outer(np.asarray(values, float), np.asarray(values, float))
    return np.asarray(np.where(np.abs(gaps) > tied + _ROUNDING, np.sign(gaps), 0.0))


def _ranks(signs: Array) -> tuple[int, ...]:
    return tuple((1 + (signs < 0).sum(axis=1)).tolist())
