"""Random noise of the size of an attack: what a network loses to size alone, without an adversary."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.noises.attacks.norms import L1, L2, Linf
from bitproof.noises.attacks.search import Attempt, Bill, Search, check, generators_of


@dataclass(frozen=True)
class RandomNoise(Search):
    """A random direction at distance eps, drawn anew for a sample until it is misclassified or ``draws`` are spent.

    Args: eps: length of the noise before the clip to the bounds, for inputs in [0, 1]. draws: how many are tried, 1 or more.
    Raises SpecError for other values.
    """

    eps: float
    draws: int = 1

    #: No gradient is taken, so the network runs as it is.
    grad = "exact"
    needs_gradient: ClassVar[bool] = False
    needs_scores: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("image", "keyword", "text", "points")
    source: ClassVar[str] = "arXiv 1902.06705"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.draws >= 1, "draws", self.draws, "1 or more")

    @abstractmethod
    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw one point of length 1, of ``shape``."""

    def scale(self, clean: Tensor) -> Tensor | float:
        """What eps is multiplied by for each sample of ``clean``, N×1×…; 1 where it is absolute."""
        return 1.0

    def bill(self, classes: int) -> Bill:
        """A forward a draw."""
        return Bill(self.draws, 0)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Draw for the samples that stand."""
        x, generators = attempt.x, generators_of(seeds)
        for _ in range(self.draws):
            rows = attempt.standing()
            if not len(rows):
                return
            noise = torch.stack([self.direction(x.shape[1:], generators[i]) for i in rows.tolist()]).to(x)
            attempt.ask(rows, (x[rows] + self.eps * self.scale(x[rows]) * noise).clamp(*attempt.victim.bounds), "last")


class NoiseLinf(RandomNoise):
    """Random signs times eps: as large in every value as a sign step, in no direction that matters.

    x' = clip(x + eps·r), r uniform in {−1, 1}, N×3×H×W → N×3×H×W. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    norm: ClassVar[Linf] = Linf()

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw random signs."""
        return torch.randint(0, 2, tuple(shape), generator=generator) * 2.0 - 1.0


class NoiseL2(RandomNoise):
    """A random direction of Euclidean length eps.

    x' = clip(x + eps·r/‖r‖₂), r normal, N×3×H×W → N×3×H×W. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    norm: ClassVar[L2] = L2()

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw a point of the unit sphere."""
        return L2().direction(torch.randn(1, *shape, generator=generator))[0]


class NoiseL1(RandomNoise):
    """A random change whose absolute values sum to eps.

    x' = clip(x + eps·r), r uniform on the sphere ‖r‖₁ = 1, N×3×H×W → N×3×H×W. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    norm: ClassVar[L1] = L1()

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw a point of the unit sphere."""
        return L1().inside(shape, generator)
