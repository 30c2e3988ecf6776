"""Projected gradient ascent, and its one-step ancestor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.core import SpecError
from bitproof.noises.attacks.base import GradientAttack
from bitproof.noises.attacks.norms import L1, L2, Linf, box_l1

PROJECTIONS = ("exact", "rescale")


@dataclass(frozen=True)
class FgsmLinf(GradientAttack):
    """FGSM: one step of eps along the sign of the gradient.

    x' = clip(x + eps·sign(∇ₓ L(x, y)))

    Args: eps: largest change of a value, for inputs in [0, 1]. grad: gradient mode. Raises SpecError for other values.
    Source: 1412.6572 §4. Differs from the paper: of the clean and the moved input that of higher loss is returned.
    """

    eps: float
    grad: str = "ste"

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
        step: length of a step in the units of eps; None means 0.075·eps (20 of them are 1.5·eps long).
        restarts: random starts; a sample that has fallen is not started again.
        start: begin at a random point of the ball; false begins at the clean input.
        grad: gradient mode.
        keep: ``best`` or ``last`` iterate.
    """

    eps: float
    steps: int = 20
    step: float | None = None
    restarts: int = 1
    start: bool = True
    grad: str = "ste"
    keep: str = "best"

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
    """PGD in the ℓ1 ball."""

    projection: str = "exact"

    norm: ClassVar[L1] = L1()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection not in PROJECTIONS:
            raise SpecError(f"projection={self.projection} is unknown. Allowed: {', '.join(PROJECTIONS)}.")

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Project by ``projection``."""
        if self.projection == "rescale":
            return super().place(clean, delta, bounds)
        return (clean + box_l1(clean, delta, self.eps, bounds)).clamp(*bounds)
