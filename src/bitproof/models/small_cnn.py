"""A network small enough to be trained while one waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bitproof.models.network import Network, seeded, wrap
from bitproof.models.weights import load_weights


class SmallCnnNet(nn.Module):
    """Four 3×3 convolutions with batch norm and ReLU, the second and fourth of stride 2; N×3×28×28 → N×classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layer(3, 16, 1), *_layer(16, 32, 2), *_layer(32, 32, 1), *_layer(32, 48, 2))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.linear = nn.Linear(4 * 48, classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×28×28 → N×classes."""
        logits: Tensor = self.linear(self.pool(self.features(x)).flatten(1))
        return logits


def _layer(channels_in: int, channels: int, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(channels), nn.ReLU()


@dataclass(frozen=True)
class SmallCnn:
    """A CNN of 31 k parameters for 28×28 pictures, to be trained on the spot: small-cnn[:classes=10,seed=0,weights=FILE].

    Its layers are drawn from ``seed`` where no ``weights`` are given. Normalised with MNIST's mean 0.1307 and deviation 0.3081.
    Source: bitproof's own. Differs from the paper: nothing, there is none.
    """

    classes: int = 10
    seed: int = 0
    weights: str | None = None

    source: ClassVar[str] = "bitproof"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = SmallCnnNet(self.classes)
        if self.weights is not None:
            load_weights(net, self.weights)
        return wrap(net, size=28, mean=(0.1307,), std=(0.3081,), spec=spec)
