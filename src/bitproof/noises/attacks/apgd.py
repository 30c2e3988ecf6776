"""Auto-PGD: an ascent that halves its own step where it stalls, on three losses; in ℓ1 with sparse steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.noises.attacks.base import check_classes
from bitproof.noises.attacks.losses import LOSSES, targeted_dlr
from bitproof.noises.attacks.norms import L1, L2, TINY, Linf, nearest_l1, over
from bitproof.noises.attacks.search import Account, Attempt, Bill, Objective, Search, check, draw, generators_of
from bitproof.noises.attacks.towards import Towards, towards
from bitproof.noises.attacks.walk import dense, sparse

#: The balls of the ℓ1 attack's three runs, in units of eps (2103.01208 §3.3).
SIZES = (3.0, 2.0, 1.0)


@dataclass(frozen=True)
class Apgd(Search):
    """The ascent; a subclass says what it climbs, a norm how it is walked.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        steps: gradient steps of each run.
        restarts: runs from another random start; a sample that has fallen is not started again.
        grad: gradient mode.
    Raises SpecError for other values, and for a network with too few classes for the loss.
    """

    eps: float
    steps: int = 100
    restarts: int = 1
    grad: str = "ste"

    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 2003.01690"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.steps >= 1, "steps", self.steps, "1 or more")
        check(self.restarts >= 1, "restarts", self.restarts, "1 or more")

    def runs(self, classes: int) -> int:
        """How many runs there are at most."""
        return self.restarts

    def bill(self, classes: int) -> Bill:
        """A gradient a step, and a forward at the end of each run."""
        runs = self.runs(classes)
        return Bill(runs * (self.steps + 1), runs * self.steps)

    def ascend(self, attempt: Account, rows: Tensor, objective: Objective, generators: Sequence[Generator]) -> None:
        """One run, from a random point of the sphere; in ℓ1 through three shrinking balls."""
        clean = attempt.x[rows]
        point = draw(self.norm, clean, generators)
        start = self.place(clean, self.eps * point / over(self.norm.length(point).clamp_min(TINY), point), attempt.victim.bounds)
        dense(attempt, rows, start, objective, self.norm, self.eps, self.steps)


@dataclass(frozen=True)
class Untargeted(Apgd):
    """Away from the true class, ``restarts`` times on one loss."""

    loss: ClassVar[str]

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Climb from one start after the other, on the samples that still stand."""
        check_classes(attempt, self.loss)
        generators, loss = generators_of(seeds), LOSSES[self.loss]
        for _ in range(self.restarts):
            rows = attempt.standing()
            if not len(rows):
                return
            self.ascend(attempt, rows, lambda z, rows: loss(z, attempt.y[rows]), [generators[i] for i in rows.tolist()])


@dataclass(frozen=True)
class ApgdCe(Untargeted):
    """On the cross-entropy."""

    loss: ClassVar[str] = "ce"


@dataclass(frozen=True)
class ApgdDlr(Untargeted):
    """On the difference of logits ratio."""

    loss: ClassVar[str] = "dlr"


@dataclass(frozen=True)
class ApgdT(Apgd):
    """Towards the ``targets`` classes that the clean input is likeliest to be taken for."""

    targets: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.targets >= 1, "targets", self.targets, "1 or more; those beyond the network's classes are left out")

    def runs(self, classes: int) -> int:
        """A target and restart each."""
        return self.restarts * min(self.targets, classes - 1)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Climb towards every class on the samples that still stand, ``restarts`` times each."""
        check_classes(attempt, "targeted dlr")
        generators = generators_of(seeds)
        for side in towards(attempt, [target for target in attempt.targets(self.targets) for _ in range(self.restarts)]):
            self.ascend(side, side.standing(), _to(side), [generators[i] for i in side.sample.tolist()])


def _to(side: Towards) -> Objective:
    return lambda z, rows: targeted_dlr(z, side.y[rows], side.target[rows])


class SparseAscent(Apgd):
    """The walk in the ℓ1 ball."""

    norm: ClassVar[L1] = L1()
    source: ClassVar[str] = "arXiv 2103.01208"

    def bill(self, classes: int) -> Bill:
        """As in the other norms, but each of the three balls ends with a forward."""
        runs = self.runs(classes)
        return Bill(runs * (self.steps + len(SIZES)), runs * self.steps)

    def ascend(self, attempt: Account, rows: Tensor, objective: Objective, generators: Sequence[Generator]) -> None:
        """Three runs in balls of 3, 2 and 1 eps, each from where the one before was best; only the last one counts."""
        clean, bounds = attempt.x[rows], attempt.victim.bounds
        x = clean + torch.stack([torch.randn(clean.shape[1:], generator=generator) for generator in generators]).to(clean)
        for size, steps in zip(SIZES, phases(self.steps), strict=True):
            x = nearest_l1(clean, x - clean, size * self.eps, bounds)
            x = sparse(attempt, rows, x, objective, size * self.eps, steps, "best" if size == 1 else "none")


def phases(steps: int) -> tuple[int, int, int]:
    """30 %, 30 % and 40 % of ``steps``, the first two rounded up."""
    first = math.ceil(0.3 * steps)
    second = min(first, steps - first)
    return first, second, steps - first - second


class ApgdCeLinf(ApgdCe):
    """APGD-CE in the ℓ∞ ball: ascent on the cross-entropy with a step that halves itself where it stalls.

    z = clip(x₀ + clamp(x + step·sign(∇ₓL) − x₀, ±eps)),  x ← clip(x₀ + clamp(x + ¾(z − x) + ¼(x − x₋₁) − x₀, ±eps)),
    step = 2·eps at first, N×3×H×W → N×3×H×W

    Source: 2003.01690 Algorithm 1; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[Linf] = Linf()


class ApgdCeL2(ApgdCe):
    """APGD-CE in the ℓ2 ball: ascent on the cross-entropy with a step that halves itself where it stalls.

    As in ℓ∞, along ∇ₓL/‖∇ₓL‖₂, projected by shrinking, N×3×H×W → N×3×H×W

    Source: 2003.01690 Algorithm 1; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[L2] = L2()


class ApgdCeL1(SparseAscent, ApgdCe):
    """APGD-CE in the ℓ1 ball: ascent on the cross-entropy by sparse steps, through balls of 3, 2 and 1 eps.

    x ← nearest point of the ball within the bounds to x + step·s/‖s‖₁, s the signs of the largest values of ∇ₓL,
    step = eps at first, N×3×H×W → N×3×H×W

    Source: 2103.01208 §3; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """


class ApgdDlrLinf(ApgdDlr):
    """APGD-DLR in the ℓ∞ ball: as APGD-CE, on a loss that does not change with the scale of the logits.

    L = (max_{j≠y} z_j − z_y) / (z_π1 − z_π3), N×3×H×W → N×3×H×W

    Source: 2003.01690 equation 6; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[Linf] = Linf()


class ApgdDlrL2(ApgdDlr):
    """APGD-DLR in the ℓ2 ball: as APGD-CE, on a loss that does not change with the scale of the logits.

    L = (max_{j≠y} z_j − z_y) / (z_π1 − z_π3), N×3×H×W → N×3×H×W

    Source: 2003.01690 equation 6; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[L2] = L2()


class ApgdDlrL1(SparseAscent, ApgdDlr):
    """APGD-DLR in the ℓ1 ball: as APGD-CE, on a loss that does not change with the scale of the logits.

    L = (max_{j≠y} z_j − z_y) / (z_π1 − z_π3), N×3×H×W → N×3×H×W

    Source: 2103.01208 §3, 2003.01690 equation 6. Differs from the paper: a sample stops at its first success.
    """


class ApgdTLinf(ApgdT):
    """APGD-T in the ℓ∞ ball: one run towards each of the 9 likeliest other classes.

    L = (z_t − z_y) / (z_π1 − (z_π3 + z_π4)/2), t by the order of the clean logits, N×3×H×W → N×3×H×W

    Source: 2003.01690 equation 7; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[Linf] = Linf()


class ApgdTL2(ApgdT):
    """APGD-T in the ℓ2 ball: one run towards each of the 9 likeliest other classes.

    L = (z_t − z_y) / (z_π1 − (z_π3 + z_π4)/2), t by the order of the clean logits, N×3×H×W → N×3×H×W

    Source: 2003.01690 equation 7; constants of fra31/auto-attack. Differs from the paper: a sample stops at its first success.
    """

    norm: ClassVar[L2] = L2()


class ApgdTL1(SparseAscent, ApgdT):
    """APGD-T in the ℓ1 ball: one run towards each of the 9 likeliest other classes; AutoAttack takes 5.

    L = (z_t − z_y) / (z_π1 − (z_π3 + z_π4)/2), t by the order of the clean logits, N×3×H×W → N×3×H×W

    Source: 2103.01208 §3, 2003.01690 equation 7. Differs from the paper: a sample stops at its first success.
    """
