"""Ascent with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.noises.attacks.base import GradientAttack
from bitproof.noises.attacks.norms import TINY, Linf, over
from bitproof.noises.attacks.search import check


@dataclass(frozen=True)
class MimLinf(GradientAttack):
    """MIM: iterated sign steps along a decaying sum of normalised gradients, in the ℓ∞ ball.

    v ← decay·v + g / mean|g|,  x ← clip(x₀ + clamp(x + step·sign(v) − x₀, ±eps)), N×3×H×W → N×3×H×W

    Args:
        eps: largest change of a value, for inputs in [0, 1].
        steps: gradient steps of each restart.
        step: length of a step; None means 0.075·eps. RobustART's code has 0.002 at every eps.
        restarts: random starts; a sample that has fallen is not started again.
        start: begin at a random point of the ball; false begins at the clean input.
        grad: gradient mode.
        keep: ``best`` or ``last`` iterate.
        decay: what is kept of the velocity, 0 to 1.
        loss, temperature: as for PGD.
        clipped: false lets the start lie outside the bounds, as RobustART's code does; only with ``keep=last``.

    Source: 1710.06081 Algorithm 1.
    Differs from the paper: g is divided by its mean absolute value and not by its sum, as in RobustART, which changes no sign;
    0.075·eps is the default step in place of eps/steps; a random start.
    """

    eps: float
    steps: int = 20
    step: float | None = None
    restarts: int = 1
    start: bool = True
    grad: str = "ste"
    keep: str = "best"
    decay: float = 1.0
    loss: str = "ce"
    temperature: float = 1.0
    clipped: bool = True

    norm: ClassVar[Linf] = Linf()
    source: ClassVar[str] = "arXiv 1710.06081"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.decay <= 1, "decay", self.decay, "0 to 1")
        check(self.clipped or self.keep == "last", "clipped", "false", "true where keep=best: the start would count as found")

    def begin(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Clip to the bounds, or leave it where it is."""
        return super().begin(clean, delta, bounds) if self.clipped else clean + delta

    def accumulate(self, velocity: Tensor, gradient: Tensor) -> Tensor:
        """Return decay·v + g / mean|g|."""
        mean = gradient.flatten(1).abs().mean(dim=1).clamp_min(TINY)
        return self.decay * velocity + gradient / over(mean, gradient)
