"""VGG networks for 32×32 pictures: torchvision's layers, and one linear layer in the place of three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bitproof.models.cifar_settings import CifarSettings

#: Output channels of each convolution, M for a pooling. Source: 1409.1556 table 1, configuration A.
LAYERS: tuple[int | str, ...] = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


class Vgg(nn.Module):
    """Convolutions with batch norm and ReLU, then a linear layer on the last 1×1 map; N×3×32×32 → N×classes."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        from torchvision.models.vgg import make_layers

        layers = [layer if isinstance(layer, str) else max(8, round(layer * width)) for layer in LAYERS]
        self.features = make_layers(layers, batch_norm=True)
        self.linear = nn.Linear(int(layers[-2]), classes)

    def forward(self, x: Tensor) -> Tensor:
        """N×3×32×32 → N×classes."""
        logits: Tensor = self.linear(self.features(x).flatten(1))
        return logits


@dataclass(frozen=True)
class Vgg11Cifar(CifarSettings):
    """VGG-11 with batch norm for 32×32 pictures, 9.2 M parameters: vgg11-cifar[:weights=FILE,width=1,classes=10,seed=0].

    The settings are those of ``CifarSettings``.
    Source: 1409.1556, configuration A. Differs from the paper: batch norm, one linear layer, the input's size.
    """

    source: ClassVar[str] = "arXiv 1409.1556"
    version: ClassVar[int] = 1

    def net(self) -> nn.Module:
        """See the class."""
        return Vgg(self.width, self.classes)
