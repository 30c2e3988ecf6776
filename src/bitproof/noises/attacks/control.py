"""Random noise of the size of an attack: what a network loses to size alone, without an adversary."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.core import Attacked, Victim
from bitproof.noises.attacks.base import Attempt, check, check_batch, generators_of
from bitproof.noises.attacks.norms import L2


@dataclass(frozen=True)
class RandomNoise(ABC):
    """A random direction at distance eps, drawn anew for a sample until it is misclassified or ``draws`` are spent.

    Args: eps: length of the noise before the clip to the bounds, for inputs in [0, 1]. draws: how many are tried, 1 or more.
    Raises SpecError for other values.
    """

    eps: float
    draws: int = 1

    #: No gradient is taken, so the network runs as it is.
    grad: ClassVar[str] = "exact"
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs_gradient: ClassVar[bool] = False
    source: ClassVar[str] = "arXiv 1902.06705"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check(0 <= self.eps < math.inf, "eps", self.eps, "a finite number, 0 or more")
        check(self.draws >= 1, "draws", self.draws, "1 or more")

    @abstractmethod
    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw one point of length 1, of ``shape``."""

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Add noise to a batch, as ``bitproof.core.Attack`` says; needs no gradient. ``x`` is not changed."""
        check_batch(victim, x, y, seeds)
        attempt = Attempt(victim, x.detach(), y)
        attempt.ask(torch.arange(len(x), device=x.device), attempt.x, "best")
        generators = generators_of(seeds)
        for _ in range(self.draws):
            rows = attempt.standing()
            if not len(rows):
                break
            noise = torch.stack([self.direction(x.shape[1:], generators[i]) for i in rows.tolist()]).to(x)
            attempt.ask(rows, (attempt.x[rows] + self.eps * noise).clamp(*victim.bounds), "last")
        return attempt.result()


class NoiseLinf(RandomNoise):
    """Random signs times eps: as large in every value as a sign step, in no direction that matters.

    x' = clip(x + eps·r), r uniform in {−1, 1}, N×3×H×W → N×3×H×W. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw random signs."""
        return torch.randint(0, 2, tuple(shape), generator=generator) * 2.0 - 1.0


class NoiseL2(RandomNoise):
    """A random direction of Euclidean length eps.

    x' = clip(x + eps·r/‖r‖₂), r normal, N×3×H×W → N×3×H×W. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw a point of the unit sphere."""
        return L2().direction(torch.randn(1, *shape, generator=generator))[0]
