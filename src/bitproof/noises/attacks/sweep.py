"""One attack at several budgets in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bitproof.core import Attacked, Victim

if TYPE_CHECKING:
    from torch import Tensor


def sweep(attack: Any, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int], budgets: Sequence[float]) -> list[Attacked]:
    """Return what ``attack`` finds at each of ``budgets``, in their order; its own eps does not matter.

    They are walked from the smallest up: an input that fools within a small ball does so within every larger one, so its sample
    is done. ``queries`` and ``gradients`` of a budget are all that the sample has cost by then. An attack whose last iterate is
    judged (``keep=last``), whatever came before, begins anew at every budget.
    A minimum-norm attack is run once, without a budget: it answers all of them; a sample that it fools farther away stays clean.
    Raises SpecError for a budget that is not possible, and what the attack raises.
    """
    if getattr(attack, "minimal", False):
        return _at_once(replace(attack, eps=None), victim, x, y, seeds, budgets)
    found: dict[float, Attacked] = {}
    last, anew = None, getattr(attack, "keep", "best") == "last"
    for eps in sorted(set(budgets)):
        at = replace(attack, eps=eps)
        last = at(victim, x, y, seeds) if last is None or anew else _further(last, at, victim, x, y, seeds)
        found[eps] = last
    return [found[eps] for eps in budgets]


def _further(before: Attacked, attack: Any, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
    """Attack what stood ``before``, and add the bills."""
    rows = (~before.success).nonzero().flatten()
    if not len(rows):
        return before
    now = attack(victim, x[rows], y[rows], [seeds[i] for i in rows.tolist()])
    put = {name: getattr(before, name).clone() for name in ("x", "success", "queries", "gradients")}
    put["x"][rows], put["success"][rows] = now.x, now.success
    put["queries"][rows] += now.queries
    put["gradients"][rows] += now.gradients
    return Attacked(**put)


def _at_once(attack: Any, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int], budgets: Sequence[float]) -> list[Attacked]:
    """Count as found at each budget what lies within it."""
    nearest = attack(victim, x, y, seeds)
    length = attack.norm.length(nearest.x - x)
    results = []
    for eps in budgets:
        success = nearest.success & (length <= eps)
        put = x.clone()
        put[success] = nearest.x[success]
        results.append(Attacked(put, success, nearest.queries, nearest.gradients))
    return results
