"""MobileNetV2 for 32×32 pictures: torchvision's blocks, with fewer strides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from bitproof.models.cifar_settings import CifarSettings

#: Expansion, output channels, blocks and first stride of each stage; 32 px become 4.
#: Source: 1801.04381 table 2; strides of the input layer and of the third stage 1, as the picture is seven times smaller.
STAGES = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 1], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]


def mobilenet(width: float, classes: int) -> nn.Module:
    """N×3×32×32 → N×classes, with ReLU in the place of ReLU6."""
    from torchvision.models import mobilenet_v2

    net: nn.Module = mobilenet_v2(width_mult=width, inverted_residual_setting=STAGES, num_classes=classes)
    first: Any = net.get_submodule("features.0.0")
    first.stride = (1, 1)
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(parent, name, nn.ReLU())
    return net


@dataclass(frozen=True)
class MobileNetV2Cifar(CifarSettings):
    """MobileNetV2 for 32×32 pictures, 2.2 M parameters: mobilenet-v2-cifar[:weights=FILE,width=1,classes=10,seed=0].

    The settings are those of ``CifarSettings``.
    Source: 1801.04381. Differs from the paper: two strides fewer, for the input's size; ReLU in the place of ReLU6.
    """

    source: ClassVar[str] = "arXiv 1801.04381"
    version: ClassVar[int] = 1

    def net(self) -> nn.Module:
        """See the class."""
        return mobilenet(self.width, self.classes)
