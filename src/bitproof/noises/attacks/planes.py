"""The smallest step onto a hyperplane that stays inside the bounds, in three norms. Batches are N×D, N planes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bitproof.noises.attacks.norms import TINY

#: Weights of a plane below this count as zero, as in the authors' code.
FLAT = 1e-8

#: The level where all the room there is does not suffice.
ALL = 1e30

#: Sizes of weights, the room of each value, and the sizes of gaps → the size of each value's step: N×D, N×D, N → N×D.
Step = Callable[[Tensor, Tensor, Tensor], Tensor]


def onto(step: Step, x: Tensor, w: Tensor, gap: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return the smallest δ with w·δ = gap and x + δ inside ``bounds``, N×D; all the room that there is where none suffices.

    Source: 1907.02044 §3.1 and its appendix.
    """
    w = torch.where(w.abs() < FLAT, 0.0, w)
    rising = (w > 0) == (gap >= 0)[:, None]
    room = torch.where(w == 0, 0.0, torch.where(rising, bounds[1] - x, x - bounds[0]))
    size = step(w.abs(), room, gap.abs())
    return torch.where(rising, size, -size)


def step_linf(w: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """Every value moves by the same λ, or by all its room: Σ wᵢ·min(λ, roomᵢ) = gap."""
    level = _level(w, w * room, room, gap)
    return torch.minimum(level, room)


def step_l2(w: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """Every value moves by λ·wᵢ, or by all its room: Σ wᵢ·min(λ·wᵢ, roomᵢ) = gap."""
    level = _level(w.square(), w * room, room / w.clamp_min(TINY), gap)
    return torch.minimum(level * w, room)


def step_l1(w: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """The values of largest weight move by all their room, one after the other, until the gap is closed."""
    order = w.argsort(dim=1, descending=True, stable=True)
    gain = (w * room).gather(1, order)
    before = gain.cumsum(dim=1) - gain
    share = ((gap[:, None] - before) / gain.clamp_min(TINY)).clamp(0, 1)
    return torch.zeros_like(w).scatter(1, order, share) * room


def _level(slope: Tensor, full: Tensor, end: Tensor, gap: Tensor) -> Tensor:
    """Return λ, N×1, with λ·(slopes of the values that still move) + (what is full of those at their ``end``) = gap.

    The left side is concave and rises in pieces, so Newton's steps from 0 never pass the solution and end at it.
    """
    level, nothing = torch.zeros_like(gap), slope.new_zeros(())
    while True:
        free = end > level[:, None]
        done = torch.where(free, nothing, full).sum(dim=1)
        rate = torch.where(free, slope, nothing).sum(dim=1)
        higher = torch.where(rate > 0, (gap - done) / rate.clamp_min(TINY), ALL).clamp_max(ALL)
        rises = higher > level * (1 + 1e-7)
        if not rises.any():
            return level[:, None]
        level = torch.where(rises, higher, level)
