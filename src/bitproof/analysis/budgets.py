"""Which attacks share a budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from bitproof.core import Spec, ratio

NORMS = ("linf", "l2", "l1", "snr")


class Budget(NamedTuple):
    """The ball that an attack may move in: a norm and its radius, and the radius as its spec writes it."""

    norm: str
    eps: Fraction
    text: str


def budget(noise: str) -> Budget | None:
    """Read the budget of an attack's spec (``pgd-linf:eps=8/255``, ``fgsm-linf:8/255``); None where it names none."""
    spec = Spec.parse(noise)
    norm, text = spec.name.rpartition("-")[2], spec.options.get("eps", next(iter(spec.values), None))
    if norm not in NORMS or text is None:
        return None
    try:
        return Budget(norm, ratio(text), text)
    except (ValueError, ZeroDivisionError):
        return None


def free(ball: Budget) -> bool:
    """Whether every value may become any other, for inputs in [0, 1]: it ranks no networks, but shows whether attacks work."""
    return ball.norm == "linf" and ball.eps >= 1


def budgets(noises: Sequence[str]) -> dict[str, list[str]]:
    """Group attacks: ``NORM,eps=EPS`` for those in one ball, and ``level=K`` for the K-th smallest ball of every norm.

    Levels exist where two norms or more are attacked at equally many radii, as in RobustART's small, middle and large.
    """
    balls: dict[tuple[str, Fraction], list[str]] = defaultdict(list)
    labels: dict[tuple[str, Fraction], str] = {}
    for noise in noises:
        if found := budget(noise):
            balls[found.norm, found.eps].append(noise)
            labels.setdefault((found.norm, found.eps), f"{found.norm},eps={found.text}")
    ordered = sorted(balls, key=lambda ball: (NORMS.index(ball[0]), ball[1]))
    return {labels[ball]: balls[ball] for ball in ordered} | _levels(ordered, balls)


def _levels(ordered: list[tuple[str, Fraction]], balls: dict[tuple[str, Fraction], list[str]]) -> dict[str, list[str]]:
    ladders: dict[str, list[tuple[str, Fraction]]] = defaultdict(list)
    for ball in ordered:
        ladders[ball[0]].append(ball)
    if len(ladders) < 2 or len(set(map(len, ladders.values()))) > 1:
        return {}
    return {
        f"level={k}": [noise for ball in rung for noise in balls[ball]]
        for k, rung in enumerate(zip(*ladders.values(), strict=True), 1)
    }
