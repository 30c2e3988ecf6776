"""What networks for 32×32 pictures share: how they are drawn, filled and wrapped; the settings of those of any width."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from bitproof.core import SpecError
from bitproof.models.network import IMAGENET_MEAN, IMAGENET_STD, Network, seeded, wrap
from bitproof.models.weights import load_weights


class ForCifar(ABC):
    """A network with the settings ``weights`` (a file; without it, layers are drawn) and ``seed``."""

    weights: str | None
    seed: int

    @abstractmethod
    def net(self) -> nn.Module:
        """Build it, N×3×32×32 → N×classes."""

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = self.net()
        if self.weights is not None:
            load_weights(net, self.weights)
        return wrap(net, size=32, mean=IMAGENET_MEAN, std=IMAGENET_STD, spec=spec)


@dataclass(frozen=True)
class CifarSettings(ForCifar):
    """``width`` is a factor on all channels. Without ``weights`` the layers are drawn from ``seed``.

    Input is normalised with ImageNet's mean and standard deviation. Raises SpecError for a width that is not above 0.
    """

    weights: str | None = None
    width: float = 1.0
    classes: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.width <= 8:
            raise SpecError(f"width={self.width} is out of range: above 0, at most 8.")
