"""The walks of Auto-PGD: what a batch of samples remembers on its way, and when a step shrinks.

A sample leaves as soon as it has fallen. The last step is asked about without a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from bitproof.noises.attacks.norms import Norm, nearest_l1, over
from bitproof.noises.attacks.search import Account, Objective, Samples

#: Share of a dense step that is the new one; the rest goes on in the direction of the step before (2003.01690 equation 1).
NEW = 0.75

#: The first window between two checks, by how much each later one is shorter, and the shortest, in shares of the steps.
WINDOW, SHORTER, SHORTEST = 0.22, 0.03, 0.06

#: A step is halved where no more than this share of a window's steps raised the objective.
RISING = 0.75

#: In ℓ1: the share of the steps between two checks, what a step is divided by, and the smallest in units of the first.
SPARSE_WINDOW, SPARSE_SHRINK, SPARSE_SMALLEST = 0.04, 1.5, 0.1

#: In ℓ1: a step moves as many values as the best change, divided by this; a best change sparser by this factor is progress.
SPARSER, PROGRESS = 1.5, 0.95


@dataclass
class Walk(Samples):
    """Samples under way: where they are, where their objective was highest, and the length of their step."""

    clean: Tensor
    x: Tensor
    gradient: Tensor
    best: Tensor
    best_gradient: Tensor
    best_value: Tensor
    step: Tensor

    @classmethod
    def begin(cls, attempt: Account, rows: Tensor, x: Tensor, step: float, **more: Tensor) -> Self:
        """At ``x``, before anything was asked."""
        nothing, low = torch.zeros_like(x), x.new_full((len(x),), -torch.inf)
        return cls(rows, attempt.x[rows], x, nothing, x, nothing, low, torch.full_like(low, step), **more)

    def climb(self, attempt: Account, objective: Objective, keep: str) -> Tensor:
        """Ask for the gradient at ``x``, remember it where the objective is higher than ever, and return the objective."""
        value, self.gradient = attempt.ask_gradient(self.rows, self.x, objective, keep)
        better = self.remember(value)
        self.best_gradient = torch.where(over(better, self.x), self.gradient, self.best_gradient)
        return value

    def remember(self, value: Tensor) -> Tensor:
        """Keep ``x`` where its objective is higher than ever; return where that was."""
        better = value > self.best_value
        self.best = torch.where(over(better, self.x), self.x, self.best)
        self.best_value = torch.where(better, value, self.best_value)
        return better

    def back(self, where: Tensor) -> None:
        """Return to the best place."""
        self.x = torch.where(over(where, self.x), self.best, self.x)
        self.gradient = torch.where(over(where, self.x), self.best_gradient, self.gradient)


@dataclass
class DenseWalk(Walk):
    """The same, with the place before and with how the objective went since the last check."""

    before: Tensor
    previous: Tensor
    rises: Tensor
    last_best: Tensor
    reduced: Tensor

    def note(self, value: Tensor) -> None:
        """Count whether the objective rose."""
        self.rises = self.rises + (value > self.previous)
        self.previous = value

    def check(self, window: int) -> None:
        """Halve the step and go back where too few steps rose, or where neither this nor the last window did any good."""
        stalls = (self.rises <= RISING * window) | (~self.reduced & (self.last_best >= self.best_value))
        self.step = torch.where(stalls, self.step / 2, self.step)
        self.reduced, self.last_best, self.rises = stalls, self.best_value.clone(), torch.zeros_like(self.rises)
        self.back(stalls)


def dense(attempt: Account, rows: Tensor, x: Tensor, objective: Objective, norm: Norm, eps: float, steps: int) -> None:
    """Walk ``steps`` steps of a length of 2·eps at first in the ball of ``eps``.

    z = place(x + step·direction(g)),  x ← place(x + ¾(z − x) + ¼(x − x_before)); the first step is z alone.
    Source: 2003.01690 Algorithm 1; its first rise is counted against 0, as in the authors' code.
    """
    zero = x.new_zeros(len(x))
    more = {"before": x, "previous": zero, "rises": zero, "last_best": zero, "reduced": torch.ones_like(rows, dtype=torch.bool)}
    walk = DenseWalk.begin(attempt, rows, x, 2 * eps, **more)
    attempt.soften(0.0)
    walk.last_best = walk.climb(attempt, objective, "best")
    window, since = max(int(WINDOW * steps), 1), 0

    def place(x: Tensor) -> Tensor:
        return (walk.clean + norm.project(x - walk.clean, eps)).clamp(*attempt.victim.bounds)

    for i in range(steps):
        walk = walk.standing(attempt)
        if not len(walk.rows):
            return
        attempt.soften(i / max(1, steps - 1))
        share, x = NEW if i else 1.0, walk.x
        ahead = place(x + over(walk.step, x) * norm.direction(walk.gradient))
        walk.x, walk.before = place(x + share * (ahead - x) + (1 - share) * (x - walk.before)), x
        if i + 1 == steps:
            attempt.ask(walk.rows, walk.x)
            return
        walk.note(walk.climb(attempt, objective, "best"))
        since += 1
        if since == window:
            walk.check(window)
            window, since = max(window - max(int(SHORTER * steps), 1), int(SHORTEST * steps), 1), 0


def sparse(attempt: Account, rows: Tensor, x: Tensor, objective: Objective, eps: float, steps: int, keep: str) -> Tensor:
    """Walk in the ℓ1 ball of ``eps`` by steps that move few values, of a length of ``eps`` at first; return the best places.

    x ← nearest point of the ball within the bounds to x + step·s/‖s‖₁, s the signs of the largest values of the gradient.
    With ``keep=none`` no sample leaves and nothing is kept as found: the ball is larger than the budget.
    Source: 2103.01208 §3. Differs from the authors' code: a value at rest is exactly at rest, so supports are not overcounted.
    """
    walk = SparseWalk.begin(attempt, rows, x, eps, support=_support(x - attempt.x[rows]))
    window = max(int(SPARSE_WINDOW * steps), 1)
    for i in range(steps + 1):
        walk = walk.standing(attempt) if keep == "best" else walk
        if i == steps or not len(walk.rows):
            break
        attempt.soften(i / max(1, steps - 1))
        walk.climb(attempt, objective, keep)
        if i and i % window == 0:
            walk.check(eps)
        step = over(walk.step, walk.x) * sparse_direction(walk.gradient, walk.support / x[0].numel() / SPARSER)
        walk.x = nearest_l1(walk.clean, walk.x + step - walk.clean, eps, attempt.victim.bounds)
    if len(walk.rows):
        walk.remember(objective(attempt.ask(walk.rows, walk.x, keep), walk.rows))
    return walk.best


@dataclass
class SparseWalk(Walk):
    """The same, with the number of values that the best change moved at the last check."""

    support: Tensor

    def check(self, eps: float) -> None:
        """Begin again from the best place with a long step where it got sparser, else shorten the step."""
        support = _support(self.best - self.clean)
        progress = support < PROGRESS * self.support
        self.step = torch.where(progress, eps, (self.step / SPARSE_SHRINK).clamp_min(SPARSE_SMALLEST * eps))
        self.support = support
        self.back(progress)


def sparse_direction(gradient: Tensor, share: Tensor) -> Tensor:
    """Signs of the ``share`` of each sample's values with the largest gradient, scaled to ‖·‖₁ = 1; N×… and N → N×…."""
    size = gradient.flatten(1).abs()
    count = size.shape[1]
    at = ((1 - share) * count).long().clamp(0, count - 1)
    least = size.sort(dim=1).values.gather(1, at[:, None])
    signs = torch.where(size >= least, gradient.flatten(1).sign(), 0.0)
    return (signs / signs.abs().sum(dim=1, keepdim=True).clamp_min(1)).view_as(gradient)


def _support(delta: Tensor) -> Tensor:
    return (delta != 0).flatten(1).sum(dim=1).to(delta.dtype)
