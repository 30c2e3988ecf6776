"""FAB-T: towards each likely class, step onto the linearised boundary and back towards the clean input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.noises.attacks.norms import L1, L2, Linf, over
from bitproof.noises.attacks.planes import Step, onto, step_l1, step_l2, step_linf
from bitproof.noises.attacks.search import Account, Attempt, Bill, Samples, Search, check
from bitproof.noises.attacks.towards import towards

#: How far a step goes beyond the boundary, how far back an adversarial input is moved, and the largest pull to the clean input.
BEYOND, BACK, PULL = 1.05, 0.9, 0.1

#: A step is at least this long when two of them are compared.
SHORT = 1e-8


@dataclass
class Near(Samples):
    """Samples on their way along a boundary, and the class beyond it."""

    clean: Tensor
    x: Tensor
    target: Tensor


@dataclass(frozen=True)
class FabT(Search):
    """The search; a norm gives the step onto a plane.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        steps: gradient steps towards each class.
        targets: how many classes are tried, the likeliest first; those beyond the network's classes are left out.
        grad: gradient mode.
    Raises SpecError for other values.
    """

    eps: float
    steps: int = 100
    targets: int = 9
    grad: str = "ste"

    #: The smallest step of the norm onto a plane.
    step: ClassVar[Step]
    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 1907.02044"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.steps >= 1, "steps", self.steps, "1 or more")
        check(self.targets >= 1, "targets", self.targets, "1 or more; those beyond the network's classes are left out")

    def bill(self, classes: int) -> Bill:
        """Two forwards and a gradient a step."""
        gradients = self.steps * min(self.targets, classes - 1)
        return Bill(2 * gradients, gradients)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Try every class on the samples that still stand; nothing is drawn."""
        for side in towards(attempt, attempt.targets(self.targets)):
            near = Near(side.standing(), side.x, side.x, side.target)
            for i in range(self.steps):
                near = near.standing(side)
                if not len(near.rows):
                    break
                side.soften(i / max(1, self.steps - 1))
                self._step(side, near)

    def _step(self, attempt: Account, near: Near) -> None:
        """Step onto the boundary from ``x`` and from the clean input, mix the two, and ask whether it was crossed."""
        rows, clean, bounds = near.rows, near.clean, attempt.victim.bounds
        value, gradient = attempt.ask_gradient(rows, near.x, lambda z, rows: _ahead(z, attempt.y[rows], near.target), "none")
        w, here, there = gradient.flatten(1), near.x.flatten(1), clean.flatten(1)
        gap = torch.cat([-value, (w * (here - there)).sum(dim=1) - value])
        delta = onto(type(self).step, torch.cat([here, there]), torch.cat([w, w]), gap, bounds)
        from_x, from_clean = delta.view(2, *near.x.shape)
        length = self.norm.length(delta).clamp_min(SHORT).view(2, -1)
        pull = over((length[0] / length.sum(dim=0)).clamp(0, PULL), near.x)
        near.x = ((near.x + BEYOND * from_x) * (1 - pull) + (clean + BEYOND * from_clean) * pull).clamp(*bounds)
        self._judge(attempt, near)

    def _judge(self, attempt: Account, near: Near) -> None:
        """Note what is within the budget, and move what crossed the boundary back towards the clean input."""
        logits = attempt.ask(near.rows, near.x, "none")
        inside = self.norm.length(near.x - near.clean) <= self.eps
        if inside.any():
            attempt.note(near.rows[inside], near.x[inside], logits[inside])
        crossed = over(logits.argmax(dim=1) != attempt.y[near.rows], near.x)
        near.x = torch.where(crossed, near.clean + BACK * (near.x - near.clean), near.x)


def _ahead(z: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """z_t − z_y: negative before the boundary."""
    return (z.gather(1, target[:, None]) - z.gather(1, y[:, None]))[:, 0]


class FabTLinf(FabT):
    """FAB-T in ℓ∞: steps onto the linearised boundary of each of the 9 likeliest classes, pulled back to the clean input.

    x ← clip((1 − α)(x + 1.05·δ(x)) + α(x₀ + 1.05·δ(x₀))), δ the smallest ℓ∞ step onto {z_t = z_y} linearised at x that stays
    inside the bounds, α = min(‖δ(x)‖ / (‖δ(x)‖ + ‖δ(x₀)‖), 0.1); x ← x₀ + 0.9(x − x₀) once it is adversarial. N×3×H×W → N×3×H×W

    Source: 1907.02044 Algorithm 1, its targeted form; constants of fra31/auto-attack.
    Differs from the paper: a sample stops at its first success within eps; no random restarts and no final search.
    """

    norm: ClassVar[Linf] = Linf()
    step: ClassVar[Step] = staticmethod(step_linf)


class FabTL2(FabT):
    """FAB-T in ℓ2: steps onto the linearised boundary of each of the 9 likeliest classes, pulled back to the clean input.

    As in ℓ∞ with the smallest ℓ2 steps, N×3×H×W → N×3×H×W

    Source: 1907.02044 Algorithm 1, its targeted form; constants of fra31/auto-attack.
    Differs from the paper: a sample stops at its first success within eps; no random restarts and no final search.
    """

    norm: ClassVar[L2] = L2()
    step: ClassVar[Step] = staticmethod(step_l2)


class FabTL1(FabT):
    """FAB-T in ℓ1: steps onto the linearised boundary of each of the 9 likeliest classes, pulled back to the clean input.

    As in ℓ∞ with the smallest ℓ1 steps, N×3×H×W → N×3×H×W

    Source: 1907.02044 Algorithm 1, its targeted form; constants of fra31/auto-attack.
    Differs from the paper: a sample stops at its first success within eps; no random restarts and no final search.
    """

    norm: ClassVar[L1] = L1()
    step: ClassVar[Step] = staticmethod(step_l1)
