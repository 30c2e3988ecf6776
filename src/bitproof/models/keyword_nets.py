"""Two small float networks for keywords that others are compared with: DS-CNN and res8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import Clip
from bitproof.models.fsmn import on_logmel
from bitproof.models.network import Network, Normalized, of_form, seeded
from bitproof.models.weights import load_weights


def _bent(conv: nn.Module, channels: int) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(channels), nn.ReLU()


class DsCnnNet(nn.Module):
    """A 10×4 convolution of stride 2, four depthwise separable 3×3 ones, a mean, a linear layer; N×1×49×10 → N×classes."""

    def __init__(self, classes: int, channels: int = 64) -> None:
        super().__init__()
        layers = [*_bent(nn.Conv2d(1, channels, (10, 4), 2, (5, 1), bias=False), channels)]
        for _ in range(4):
            layers += _bent(nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False), channels)
            layers += _bent(nn.Conv2d(channels, channels, 1, bias=False), channels)
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×1×49×10 → N×classes."""
        logits: Tensor = self.linear(self.features(x).mean((2, 3)))
        return logits


class Res8Net(nn.Module):
    """A 3×3 convolution, a 4×3 mean, three residual pairs of 3×3 convolutions, a mean, a linear layer; N×1×32×32 → N×classes."""

    def __init__(self, classes: int, channels: int = 45) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d((4, 3))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(6))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for _ in range(6))
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×1×32×32 → N×classes."""
        x = past = self.pool(self.relu(self.first(x)))
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = self.relu(conv(x))
            if i % 2:
                x = past = x + past
            x = norm(x)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


@dataclass(frozen=True)
class DsCnn:
    """DS-CNN (small) for keywords, 49×10 cepstral coefficients: ds-cnn[:weights=FILE,classes=12,seed=0]. 23 k parameters.

    Source: arXiv 1711.07128, its DS-CNN S. Differs from the paper: no dropout.
    """

    weights: str | None = None
    classes: int = 12
    seed: int = 0

    source: ClassVar[str] = "arXiv 1711.07128"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = DsCnnNet(self.classes)
        if self.weights is not None:
            load_weights(net, self.weights)
        probe = torch.linspace(-10, 10, 2 * 490).view(2, 1, 49, 10)
        return of_form(Normalized((0.0,), (10.0,), net), Clip("mfcc-49x10"), probe, spec=spec)


@dataclass(frozen=True)
class Res8:
    """res8 for keywords, log-mel 32×32: res8[:weights=FILE,classes=12,seed=0]. 110 k parameters.

    Source: arXiv 1710.10361, res8. Differs from the paper: the front end, there 40 cepstral coefficients of 101 frames.
    """

    weights: str | None = None
    classes: int = 12
    seed: int = 0

    source: ClassVar[str] = "arXiv 1710.10361"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = Res8Net(self.classes)
        if self.weights is not None:
            load_weights(net, self.weights)
        return on_logmel(net, spec)
