"""FMN: the smallest change that fools, found by a ball that shrinks where the input fools and grows where it does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.noises.attacks.losses import margin
from bitproof.noises.attacks.norms import L1, L2, TINY, Linf, Norm, nearest_l1, over
from bitproof.noises.attacks.search import Attempt, Bill, Samples, Search, check

#: First and last length of a step (in ℓ2), and first and last share by which the ball shrinks or grows.
STEP, SHARE = (1.0, 0.01), (0.05, 0.001)


def annealed(ends: tuple[float, float], share: float) -> float:
    """Half a cosine from the first to the last value; ``share`` of the way, 0 to 1."""
    return ends[1] + (ends[0] - ends[1]) * (1 + math.cos(math.pi * share)) / 2


@dataclass
class Ball(Samples):
    """Samples, their place, the radius of the ball they are in, and the nearest input that fools with its distance."""

    clean: Tensor
    x: Tensor
    radius: Tensor
    best: Tensor
    distance: Tensor

    def judge(self, length: Tensor, fools: Tensor) -> None:
        """Remember what fools and is nearer than anything before."""
        nearer = fools & (length < self.distance)
        self.best[nearer], self.distance[nearer] = self.x[nearer], length[nearer]


@dataclass(frozen=True)
class Fmn(Search):
    """The search; a norm gives lengths and projections.

    Args:
        eps: distance within which an input counts as a success, for inputs in [0, 1]; none counts any.
        steps: gradient steps.
        grad: gradient mode.
    The input returned is the nearest that fools; where that is farther than eps, its direction scaled to eps.
    Raises SpecError for other values.
    """

    eps: float | None = None  # type: ignore[assignment]
    steps: int = 100
    grad: str = "ste"

    dual: ClassVar[Norm]
    minimal: ClassVar[bool] = True
    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 2102.12827"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check(self.eps is None or 0 <= self.eps < math.inf, "eps", self.eps, "none, or a finite number, 0 or more")
        check(self.steps >= 1, "steps", self.steps, "1 or more")
        self._read_grad()

    def bill(self, classes: int) -> Bill:
        """A gradient a step, a forward at the last place and one at what is returned."""
        return Bill(self.steps + 2, self.steps)

    def into(self, clean: Tensor, delta: Tensor, radius: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Return an input near ``clean + delta`` within ``radius``, one a sample, and the bounds."""
        return (clean + self.norm.project(delta, radius)).clamp(*bounds)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Walk, then ask about the nearest input that fooled."""
        rows = attempt.standing()
        clean = attempt.x[rows]
        far = clean.new_full((len(rows),), torch.inf)
        ball = Ball(rows, clean, clean.clone(), torch.zeros_like(far), clean.clone(), far.clone())
        for i in range(self.steps):
            attempt.soften(i / max(1, self.steps - 1))
            self._step(attempt, ball, i / self.steps)
        fools = attempt.ask(rows, ball.x, "none").argmax(dim=1) != attempt.y[rows]
        ball.judge(self.norm.length(ball.x - clean), fools)
        attempt.columns["distance"][rows] = ball.distance.where(ball.distance.isfinite(), torch.nan)
        found = torch.where(over(ball.distance.isinf(), clean), ball.x, ball.best)
        limit = torch.full_like(far, torch.inf if self.eps is None else self.eps)
        beyond = over(self.norm.length(found - clean) > limit, clean)
        attempt.ask(rows, torch.where(beyond, self.into(clean, found - clean, limit, attempt.victim.bounds), found), "last")

    def _step(self, attempt: Attempt, ball: Ball, share: float) -> None:
        value, gradient = attempt.ask_gradient(ball.rows, ball.x, lambda z, rows: margin(z, attempt.y[rows]), "none")
        length, fools = self.norm.length(ball.x - ball.clean), value > 0
        ball.judge(length, fools)
        change = annealed(SHARE, share)
        boundary = length + value.abs() / self.dual.length(gradient).clamp_min(TINY)
        outside = torch.where(ball.distance.isinf(), torch.maximum(boundary, ball.radius), ball.radius) * (1 + change)
        ball.radius = torch.where(fools, torch.minimum(ball.radius, ball.distance) * (1 - change), outside)
        moved = ball.x + annealed(STEP, share) * L2().direction(gradient)
        ball.x = self.into(ball.clean, moved - ball.clean, ball.radius, attempt.victim.bounds)


class FmnLinf(Fmn):
    """FMN in ℓ∞: the smallest change of any value that fools; steps along the margin's gradient in a ball that adapts.

    x ← clip(x₀ + project(x + α·g/‖g‖₂ − x₀, r)), r ← min(r, best)·(1 − γ) where x fools, r·(1 + γ) where it does not and
    something did, else max(r, ‖x − x₀‖∞ + |margin|/‖g‖₁)·(1 + γ); α and γ fall by half a cosine. N×3×H×W → N×3×H×W

    Source: 2102.12827 Algorithm 1. Differs from the paper: until something fooled, the ball grows with each step and reaches beyond
    the linearised boundary, or many samples would come near it and never cross; a last forward asks about what is returned.
    """

    norm: ClassVar[Linf] = Linf()
    dual: ClassVar[L1] = L1()


class FmnL2(Fmn):
    """FMN in ℓ2: the shortest change that fools; steps along the margin's gradient in a ball that adapts.

    As in ℓ∞ with ℓ2 balls and |margin|/‖g‖₂, N×3×H×W → N×3×H×W

    Source: 2102.12827 Algorithm 1. Differs from the paper: until something fooled, the ball grows with each step and reaches beyond
    the linearised boundary, or many samples would come near it and never cross; a last forward asks about what is returned.
    """

    norm: ClassVar[L2] = L2()
    dual: ClassVar[L2] = L2()


class FmnL1(Fmn):
    """FMN in ℓ1: the smallest sum of changes that fools; steps along the margin's gradient in a ball that adapts.

    As in ℓ∞ with ℓ1 balls and |margin|/‖g‖∞, N×3×H×W → N×3×H×W

    Source: 2102.12827 Algorithm 1. Differs from the paper: as in ℓ∞; the nearest point of the ball within the bounds.
    """

    norm: ClassVar[L1] = L1()
    dual: ClassVar[Linf] = Linf()

    def into(self, clean: Tensor, delta: Tensor, radius: Tensor, bounds: tuple[float, float]) -> Tensor:
        """The nearest point."""
        return nearest_l1(clean, delta, radius, bounds)
