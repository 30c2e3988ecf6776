"""MobileNetV2 for 32×32 pictures: torchvision's blocks, with fewer strides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from bitproof.core import SpecError
from bitproof.models.network import IMAGENET_MEAN, IMAGENET_STD, Network, seeded, wrap
from bitproof.models.weights import load_weights

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
class MobileNetV2Cifar:
    """MobileNetV2 for 32×32 pictures, 2.2 M parameters: mobilenet-v2-cifar[:weights=FILE,width=1,classes=10,seed=0].

    ``width`` is a factor on all channels. Without ``weights`` its layers are drawn from ``seed``. Input is normalised with
    ImageNet's mean and standard deviation. Raises SpecError for a width that is not above 0.
    Source: 1801.04381. Differs from the paper: two strides fewer, for the input's size; ReLU in the place of ReLU6.
    """

    weights: str | None = None
    width: float = 1.0
    classes: int = 10
    seed: int = 0

    source: ClassVar[str] = "arXiv 1801.04381"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 < self.width <= 8:
            raise SpecError(f"width={self.width} is out of range: above 0, at most 8.")

    def load(self, spec: str) -> Network:
        """Build the network and fill it."""
        with seeded(self.seed):
            net = mobilenet(self.width, self.classes)
        if self.weights is not None:
            load_weights(net, self.weights)
        return wrap(net, size=32, mean=IMAGENET_MEAN, std=IMAGENET_STD, spec=spec)
