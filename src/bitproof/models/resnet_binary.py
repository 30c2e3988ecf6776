"""Residual networks made for one bit: every 3×3 convolution has a shortcut of its own, so what its sign loses goes on beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.models.network import IMAGENET_MEAN, IMAGENET_STD, Network, seeded, wrap
from bitproof.models.resnet_cifar import PadShortcut
from bitproof.models.weights import load_weights

#: channels → a module that keeps shape: what stands before a convolution, or behind the sum with its shortcut.
Activation = Callable[[int], nn.Module]


class Shift(nn.Module):
    """x + b, b learned per channel, 0 at first; N×C×… → the same. With a sign behind it, it is ReActNet's RSign.

    Source: arXiv 2003.03488, section 4. Differs from the paper: b is added, there the threshold −b is taken off.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Move each channel."""
        return x + self.b.reshape(-1, *[1] * (x.ndim - 2))


class RPReLU(nn.Sequential):
    """ReActNet's activation: a shift, a slope for what is negative, another shift, each learned per channel; N×C×… → the same.

    y = x − γ + ζ where x > γ, else β·(x − γ) + ζ; γ = ζ = 0 and β = 0.25 at first.
    Source: arXiv 2003.03488, section 4 (RPReLU).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(Shift(channels), nn.PReLU(channels), Shift(channels))


def hardtanh(channels: int) -> nn.Module:
    """Return the float network's only bend; before a sign it changes nothing, nor a gradient that is cut at 1."""
    return nn.Hardtanh()


def nothing(channels: int) -> nn.Module:
    """Return the identity."""
    return nn.Identity()


class Unit(nn.Module):
    """after(norm(conv(before(x))) + shortcut(x)): one 3×3 convolution and its shortcut; N×C×H×W → N×channels×H/stride×W/stride."""

    def __init__(self, conv: nn.Conv2d, shortcut: nn.Module, before: Activation, after: Activation) -> None:
        super().__init__()
        self.before = before(conv.in_channels)
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.downsample = shortcut
        self.after = after(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and add what came in."""
        y: Tensor = self.after(self.norm(self.conv(self.before(x))) + self.downsample(x))
        return y


def pooled(channels_in: int, channels: int) -> nn.Module:
    """Return the shortcut of a stride: a mean over 2×2, a 1×1 convolution that stays float, a norm."""
    conv = nn.Conv2d(channels_in, channels, 1, bias=False)
    return nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), conv, nn.BatchNorm2d(channels))


def padded(channels_in: int, channels: int) -> nn.Module:
    """Return the shortcut without parameters: every second pixel, and channels of zeros."""
    return PadShortcut(channels_in)


class BinaryResNet(nn.Module):
    """A stem, stages of ``units`` convolutions of which all but the first stage's begin with a stride of 2, a mean, a linear layer.

    N×3×H×W → N×classes.
    """

    def __init__(
        self,
        stem: nn.Module,
        widths: tuple[int, ...],
        units: int,
        classes: int,
        shortcut: Callable[[int, int], nn.Module],
        before: Activation,
        after: Activation,
    ) -> None:
        super().__init__()
        self.stem = stem
        stages = []
        for previous, width in zip((widths[0], *widths), widths, strict=False):
            changes = width != previous
            first = nn.Conv2d(previous, width, 3, 2 if changes else 1, 1, bias=False)
            stage = [Unit(first, shortcut(previous, width) if changes else nn.Identity(), before, after)]
            for _ in range(units - 1):
                stage.append(Unit(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.Identity(), before, after))
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×H×W → N×classes."""
        logits: Tensor = self.linear(self.pool(self.stages(self.stem(x))).flatten(1))
        return logits


def cifar_net(classes: int, before: Activation, after: Activation) -> BinaryResNet:
    """Return the network of ResNet-20's size: 3 stages of 6 convolutions with 16, 32 and 64 channels."""
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
    return BinaryResNet(stem, (16, 32, 64), 6, classes, padded, before, after)


def imagenet_net(classes: int, before: Activation, after: Activation) -> BinaryResNet:
    """Return the network of ResNet-18's size: 4 stages of 4 convolutions with 64 to 512 channels."""
    conv = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    stem = nn.Sequential(conv, nn.BatchNorm2d(64), nn.MaxPool2d(3, 2, 1))
    return BinaryResNet(stem, (64, 128, 256, 512), 4, classes, pooled, before, after)


@dataclass(frozen=True)
class BiRealResNet20:
    """ResNet-20 with a shortcut around every convolution, for 32×32 pictures: bireal-resnet20[:weights=FILE,classes=10,seed=0].

    0.27 M parameters. A Hardtanh stands before each convolution: the float network's only bend, and without effect before a sign.
    Without ``weights`` its layers are drawn from ``seed``. Input is normalised with ImageNet's mean and standard deviation.
    Source: arXiv 1808.00278 (the shortcuts), arXiv 1512.03385 §4.2 (the size; shortcuts without parameters).
    Differs from the paper: Bi-Real net is given there for ImageNet; the float network has Hardtanh throughout.
    """

    weights: str | None = None
    classes: int = 10
    seed: int = 0

    source: ClassVar[str] = "arXiv 1808.00278"
    version: ClassVar[int] = 1
    size: ClassVar[int] = 32

    def net(self) -> nn.Module:
        """Return the network, drawn from torch's generator."""
        return cifar_net(self.classes, hardtanh, nothing)

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = self.net()
        if self.weights is not None:
            load_weights(net, self.weights)
        resize = None if self.size == 32 else 256
        return wrap(net, size=self.size, resize=resize, mean=IMAGENET_MEAN, std=IMAGENET_STD, spec=spec)


@dataclass(frozen=True)
class BiRealResNet18(BiRealResNet20):
    """ResNet-18 with a shortcut around every 3×3 convolution, 224×224: bireal-resnet18[:weights=FILE,classes=1000,seed=0].

    11.7 M parameters; the shortcut of a stride is a 2×2 mean and a 1×1 convolution, which stays float in a 1-bit recipe.
    Source: arXiv 1808.00278, section 3. Differs from the paper: the float network has a Hardtanh before each convolution.
    """

    classes: int = 1000

    size: ClassVar[int] = 224

    def net(self) -> nn.Module:
        """Return the network, drawn from torch's generator."""
        return imagenet_net(self.classes, hardtanh, nothing)


@dataclass(frozen=True)
class ReActNetResNet20(BiRealResNet20):
    """bireal-resnet20 with RPReLU behind each sum, and no Hardtanh: reactnet-resnet20[:weights=FILE,classes=10,seed=0].

    RSign is the recipe's: reactnet:w1a1. 0.28 M parameters.
    Source: arXiv 2003.03488, section 4. Differs from the paper: the body is a ResNet, as its authors' second one, not a MobileNet.
    """

    source: ClassVar[str] = "arXiv 2003.03488"

    def net(self) -> nn.Module:
        """Return the network, drawn from torch's generator."""
        return cifar_net(self.classes, nothing, RPReLU)


@dataclass(frozen=True)
class ReActNetResNet18(BiRealResNet18):
    """bireal-resnet18 with RPReLU behind each sum, and no Hardtanh: reactnet-resnet18[:weights=FILE,classes=1000,seed=0].

    RSign is the recipe's: reactnet:w1a1. 11.7 M parameters.
    Source: arXiv 2003.03488, section 4. Differs from the paper: nothing that its text fixes for this body.
    """

    source: ClassVar[str] = "arXiv 2003.03488"

    def net(self) -> nn.Module:
        """Return the network, drawn from torch's generator."""
        return imagenet_net(self.classes, nothing, RPReLU)
