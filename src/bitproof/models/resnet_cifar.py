"""The residual networks for 32×32 pictures of He et al., with shortcuts that have no parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.models.cifar_settings import ForCifar


class PadShortcut(nn.Module):
    """Option A of 1512.03385 §4.2: every second pixel, and channels of zeros, half of them in front; N×C×H×W → N×2C×H/2×W/2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = channels // 2

    def forward(self, x: Tensor) -> Tensor:
        """Thin out and pad."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut; a stride of 2 comes with twice the channels."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity() if stride == 1 else PadShortcut(channels_in)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W → N×channels×H/stride×W/stride."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu2(y + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """Three stages of ``blocks`` blocks with 16, 32 and 64 channels; depth 6·blocks + 2; N×3×32×32 → N×classes."""

    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = _stage(16, 16, 1, blocks)
        self.layer2 = _stage(16, 32, 2, blocks)
        self.layer3 = _stage(32, 64, 2, blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×32×32 → N×classes."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(self.pool(x).flatten(1))
        return logits


def _stage(channels_in: int, channels: int, stride: int, blocks: int) -> nn.Sequential:
    first = BasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))


@dataclass(frozen=True)
class ResNet20(ForCifar):
    """ResNet-20 for 32×32 pictures, 0.27 M parameters: resnet20[:weights=FILE,classes=10,seed=0].

    Without ``weights`` its layers are drawn from ``seed``. Input is normalised with ImageNet's mean and standard deviation.
    Source: 1512.03385 §4.2. Differs from the paper: the normalisation (there: the per-pixel mean is subtracted).
    """

    weights: str | None = None
    classes: int = 10
    seed: int = 0

    source: ClassVar[str] = "arXiv 1512.03385"
    version: ClassVar[int] = 1
    blocks: ClassVar[int] = 3

    def net(self) -> nn.Module:
        """See the class."""
        return ResNet(self.blocks, self.classes)


class ResNet32(ResNet20):
    """ResNet-32 for 32×32 pictures, 0.46 M parameters: resnet32[:weights=FILE,classes=10,seed=0]."""

    blocks = 5


class ResNet44(ResNet20):
    """ResNet-44 for 32×32 pictures, 0.66 M parameters: resnet44[:weights=FILE,classes=10,seed=0]."""

    blocks = 7


class ResNet56(ResNet20):
    """ResNet-56 for 32×32 pictures, 0.85 M parameters: resnet56[:weights=FILE,classes=10,seed=0]."""

    blocks = 9
