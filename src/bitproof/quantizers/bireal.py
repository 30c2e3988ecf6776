"""Bi-Real net: a tent for the gradient of an input's sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.quantizers.binary import MeanScaled, clipped, tent


@dataclass(eq=False, repr=False, kw_only=True)
class BiReal(MeanScaled):
    """Binarization with a tighter gradient of the input's sign.

    Forward, weights: w_hat = α·sign(w), α = mean|w| per output channel. Inputs: x_hat = sign(x).
    Backward, weights: dw = α·g where |w| ≤ 1, else 0; α is a constant. Inputs: dx = g·max(0, 2 − 2·|x|).
    Shapes: any → the same. 1 bit. The shortcut around each convolution is the network's: models bireal-resnet18, bireal-resnet20.

    Source: arXiv 1808.00278, section 3 (ApproxSign, magnitude-aware gradient).
    Differs from the paper: sign(0) = +1. Differs from BiBench: nothing here; its network lacks the shortcuts.
    """

    source: ClassVar[str] = "arXiv 1808.00278"

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass weights where |u| ≤ 1, inputs by the tent."""
        return clipped(g, u) if self.role == "weight" else tent(g, u)
