"""A vision transformer for 32×32 pictures, small enough to be trained on a CPU: timm's, configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bitproof.models.cifar_settings import ForCifar


@dataclass(frozen=True)
class SmallVit(ForCifar):
    """A vision transformer of 0.8 M parameters for 32×32 pictures: small-vit[:weights=FILE,classes=10,seed=0].

    64 patches of 4×4 pixels and a class token, width 128, 6 blocks of 4 heads, hidden layers of 256. Its layers are drawn from
    ``seed`` where no ``weights`` are given. Input is normalised with ImageNet's mean and standard deviation.
    Source: 2010.11929 §3.1, in timm's form. Differs from the paper: its size.
    """

    weights: str | None = None
    classes: int = 10
    seed: int = 0

    source: ClassVar[str] = "arXiv 2010.11929"
    version: ClassVar[int] = 1

    def net(self) -> nn.Module:
        """See the class."""
        from timm.models.vision_transformer import VisionTransformer

        net: nn.Module = VisionTransformer(
            img_size=32, patch_size=4, num_classes=self.classes, embed_dim=128, depth=6, num_heads=4, mlp_ratio=2.0
        )
        return net
