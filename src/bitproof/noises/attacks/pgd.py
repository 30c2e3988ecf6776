"""Projected gradient ascent, and its one-step ancestor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.noises.attacks.base import GradientAttack
from bitproof.noises.attacks.norms import L1, L2, Linf, nearest_l1
from bitproof.noises.attacks.search import check

PROJECTIONS = ("exact", "rescale")


@dataclass(frozen=True)
class FgsmLinf(GradientAttack):
    """FGSM: one step of eps along the sign of the gradient.

    x' = clip(x + eps·sign(∇ₓ L(x, y)))

    Args: eps: largest change of a value, for inputs in [0, 1]. grad: gradient mode. loss, temperature: as for PGD.
    Raises SpecError for other values.
    Source: 1412.6572 §4. Differs from the paper: nothing.
    """

    eps: float
    grad: str = "ste"
    loss: str = "ce"
    temperature: float = 1.0

    keep = "last"
    norm: ClassVar[Linf] = Linf()
    source: ClassVar[str] = "arXiv 1412.6572"
    version: ClassVar[int] = 1

    @property
    def step_size(self) -> float:
        """The whole budget."""
        return self.eps


@dataclass(frozen=True)
class Pgd(GradientAttack):
    """The settings that the three norms share.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        steps: gradient steps of each restart.
        step: length of a step in the units of eps; None means 0.075·eps in ℓ∞ and ℓ2 (20 of them are 1.5·eps long).
        restarts: random starts; a sample that has fallen is not started again.
        start: begin at a random point of the ball; false begins at the clean input.
        grad: gradient mode.
        keep: ``best`` or ``last`` iterate.
        loss: what is climbed: ``ce``, ``dlr`` (3 classes or more) or ``margin``; the last two do not saturate.
        temperature: the logits are divided by it before the loss; above 1 it wakes a saturated softmax (2003.13511).
    """

    eps: float
    steps: int = 20
    step: float | None = None
    restarts: int = 1
    start: bool = True
    grad: str = "ste"
    keep: str = "best"
    loss: str = "ce"
    temperature: float = 1.0

    source: ClassVar[str] = "arXiv 1706.06083"
    version: ClassVar[int] = 1


class PgdLinf(Pgd):
    """PGD in the ℓ∞ ball: steps along the sign of the gradient, each value clipped to ±eps; a uniform start.

    x ← clip(x₀ + clamp(x + step·sign(∇ₓ L) − x₀, ±eps)), N×3×H×W → N×3×H×W

    Source: 1706.06083 §2.1; constants of RobustART (with ``keep=last`` its attack, which is foolbox').
    Differs from the paper: stops a sample at its first success where ``keep=best``.
    """

    norm: ClassVar[Linf] = Linf()


class PgdL2(Pgd):
    """PGD in the ℓ2 ball: steps along g/‖g‖₂, projection by shrinking; a start uniform in the ball.

    x ← clip(x₀ + δ·min(1, eps/‖δ‖₂)) with δ = x + step·∇ₓL/‖∇ₓL‖₂ − x₀, N×3×H×W → N×3×H×W

    Source: 1706.06083 §2.1; constants of RobustART (with ``keep=last`` its attack, which is foolbox').
    Differs from the paper: stops a sample at its first success where ``keep=best``.
    """

    norm: ClassVar[L2] = L2()


@dataclass(frozen=True)
class PgdL1(Pgd):
    """PGD in the ℓ1 ball: steps along g/‖g‖₁, the nearest point of the ball within the bounds; a start on its sphere.

    x ← nearest point to x + step·∇ₓL/‖∇ₓL‖₁ in {‖x − x₀‖₁ ≤ eps} ∩ bounds, N×3×H×W → N×3×H×W

    The nearest point keeps the values that moved most and drops the rest, so a long step picks the values that matter; a step of
    None is 4·eps. ``projection=rescale`` shrinks along δ and clips instead, which spends the budget on every value: with
    ``keep=last`` it is RobustART's attack, with ``step=120`` as on ImageNet and with a step of None, 0.075·eps, as on CIFAR-10.
    It is much weaker: of 96 pictures of CIFAR-10-JPEG, ResNet-20 withstands 66 % at eps 1 and step 1, and 39 % the exact one.

    Args: as the other norms; ``projection`` is ``exact`` or ``rescale``. Raises SpecError for other values.
    Source: 1706.06083 §2.1; the projection 2103.01208 Proposition 2.1; ``rescale`` and its constants RobustART.
    Differs from the paper: stops a sample at its first success where ``keep=best``.
    """

    projection: str = "exact"

    norm: ClassVar[L1] = L1()

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.projection in PROJECTIONS, "projection", self.projection, " or ".join(PROJECTIONS))

    @property
    def step_size(self) -> float:
        """Length of a step: ``step``, or 4·eps before the exact projection, 0.075·eps before the other."""
        return 4 * self.eps if self.step is None and self.projection == "exact" else super().step_size

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Project by ``projection``."""
        exact = self.projection == "exact"
        return nearest_l1(clean, delta, self.eps, bounds) if exact else super().place(clean, delta, bounds)
