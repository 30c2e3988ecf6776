"""PointNet for shapes: layers that every point shares, a maximum over points, linear layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import Cloud, SpecError
from bitproof.models.network import Network, of_form, seeded
from bitproof.models.weights import load_weights

#: Weight of the feature transform's distance to an orthogonal one in the loss.
ORTHOGONAL = 1e-3

Aggregate = Callable[[Tensor], Tensor]


def largest(x: Tensor) -> Tensor:
    """Return the maximum over points, N×C×1×P → N×C."""
    return x.amax((2, 3))


def balanced_largest(x: Tensor) -> Tensor:
    """Return max_p x − δ(P), δ(P) = Φ⁻¹(2^(−1/P)): of P normal values the maximum lies above δ as often as below. N×C×1×P → N×C.

    So signs of what a batch norm and a maximum give carry a whole bit; of the plain maximum nearly all are +1.
    """
    return largest(x) - NormalDist().inv_cdf(2.0 ** (-1.0 / x.shape[3]))


AGGREGATES: dict[str, Aggregate] = {"max": largest, "ema-max": balanced_largest}


def shared(widths: Sequence[int], bent: bool) -> nn.Sequential:
    """Return 1×1 convolutions N×C×1×P between these widths, each with norm and ReLU; the last one, unless ``bent``, without ReLU.

    The axis of 1 makes them convolutions over two axes, which every kernel and runtime has.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*(layers if bent else layers[:-1]))


def head(widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Return linear layers N×C between these widths, norm and ReLU behind all but the last, in front of which is the dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(widths[-2], widths[-1]))


class Transform(nn.Module):
    """A small PointNet that looks at a cloud and turns it: x ↦ (I + A(x))ᵀx for each point. N×C×1×P → the same.

    ``regular``: the loss gets 1e-3·‖I − MMᵀ‖² of its matrix M, mean over the batch.
    """

    eye: Tensor

    def __init__(self, channels: int, wide: Callable[[int], int], aggregate: Aggregate, regular: bool) -> None:
        super().__init__()
        self.points = shared((channels, wide(64), wide(128), wide(1024)), bent=False)
        self.whole = head((wide(1024), wide(512), wide(256), channels * channels))
        self.register_buffer("eye", torch.eye(channels), persistent=False)
        self.channels, self.aggregate, self.regular = channels, aggregate, regular
        self._owed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Turn the cloud."""
        matrix = self.whole(self.aggregate(self.points(x))).reshape(-1, self.channels, self.channels) + self.eye
        if self.training and self.regular:
            off = self.eye - matrix @ matrix.transpose(1, 2)
            self._owed = ORTHOGONAL * off.square().sum((1, 2)).mean()
        turned: Tensor = (matrix.transpose(1, 2) @ x.squeeze(2)).unsqueeze(2)
        return turned

    def penalty(self) -> Tensor:
        """What the last forward of a training owes, once."""
        owed, self._owed = self._owed, None
        return self.eye.new_zeros(()) if owed is None else owed


class PointNetNet(nn.Module):
    """N×3×P → N×classes."""

    def __init__(
        self, classes: int, wide: Callable[[int], int], aggregate: Aggregate, input_transform: bool, feature_transform: bool
    ) -> None:
        super().__init__()
        self.turn = Transform(3, wide, aggregate, regular=False) if input_transform else nn.Identity()
        self.local = shared((3, wide(64), wide(64)), bent=True)
        self.turn_features = Transform(wide(64), wide, aggregate, regular=True) if feature_transform else nn.Identity()
        self.points = shared((wide(64), wide(64), wide(128), wide(1024)), bent=False)
        self.aggregate = aggregate
        self.whole = head((wide(1024), wide(512), wide(256), classes), dropout=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×P → N×classes; the order of the points does not matter."""
        x = self.turn_features(self.local(self.turn(x.unsqueeze(2))))
        logits: Tensor = self.whole(self.aggregate(self.points(x)))
        return logits


@dataclass(frozen=True)
class PointNet:
    """PointNet for shapes: pointnet[:weights=FILE,classes=40,points=1024,aggregate=max,width=1,seed=0]. 3.5 M parameters.

    ``input_transform=false,feature_transform=false`` leaves out the small networks that turn a cloud and its features: the vanilla
    PointNet, 0.8 M. ``aggregate`` is max, or ema-max for one bit: the maximum less what it is on average, so that its signs are
    balanced. ``width`` multiplies all inner widths. Without ``weights`` its layers are drawn from ``seed``.
    Source: arXiv 1612.00593; ema-max is BiPointNet's (2010.05501). Differs from the paper: no ReLU in front of a maximum, as in
    BiPointNet's code; transforms begin near the identity, not at it; ema-max's shift is computed for any number of points.
    """

    weights: str | None = None
    classes: int = 40
    points: int = 1024
    input_transform: bool = True
    feature_transform: bool = True
    aggregate: str = "max"
    width: float = 1.0
    seed: int = 0

    source: ClassVar[str] = "arXiv 1612.00593"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it. Raises SpecError for an aggregate or a width that there is not."""
        if self.aggregate not in AGGREGATES:
            raise SpecError(f"aggregate={self.aggregate!r} is unknown: {', '.join(AGGREGATES)}.")
        if not 0 < self.width <= 8:
            raise SpecError(f"width={self.width} is not possible: a number above 0 and up to 8, 1 is the paper's.")
        form, aggregate = Cloud(self.points), AGGREGATES[self.aggregate]
        with seeded(self.seed):
            net = PointNetNet(self.classes, self._wide, aggregate, self.input_transform, self.feature_transform)
        if self.weights is not None:
            load_weights(net, self.weights)
        probe = torch.rand(2, 3, self.points, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return of_form(net, form, probe, spec=spec)

    def _wide(self, channels: int) -> int:
        return max(4, round(self.width * channels))
