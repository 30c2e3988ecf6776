"""ReActNet: the threshold of an input's sign is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.quantizers.binary import MeanScaled, clipped, tent


@dataclass(eq=False, repr=False, kw_only=True)
class ReActNet(MeanScaled):
    """Binarization with RSign: a learned threshold for each input channel.

    Forward, weights: w_hat = α·sign(w), α = mean|w| per output channel. Inputs: x_hat = sign(x − θ), θ per channel, 0 at first.
    Backward, weights: dw = α·g where |w| ≤ 1, else 0; α is a constant. Inputs, u = x − θ: dx = g·max(0, 2 − 2·|u|), dθ = −Σ dx.
    Shapes: any → the same, the channels at ``axis``. 1 bit. RPReLU and the shortcuts are the network's: reactnet-resnet20.

    Source: arXiv 2003.03488, section 4 (RSign).
    Differs from the paper: sign(0) = +1. Differs from BiBench: θ is taken off, not added, and linear layers have it too.
    """

    source: ClassVar[str] = "arXiv 2003.03488"
    per_input_channel: ClassVar[bool] = True
    stored_per_input_channel: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role == "activation":
            self.theta = nn.Parameter(torch.zeros(self.shape))

    def transform(self, x: Tensor) -> Tensor:
        """Take the threshold off an input."""
        return x - self.theta if self.role == "activation" else x

    def threshold(self) -> Tensor:
        """Return θ."""
        return self.theta

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass weights where |u| ≤ 1, inputs by the tent."""
        return clipped(g, u) if self.role == "weight" else tent(g, u)
