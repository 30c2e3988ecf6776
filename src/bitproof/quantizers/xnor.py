"""XNOR-Net: weights scaled by their mean, outputs by the mean of what they look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bitproof.quantizers.binary import Gain, MeanScaled, clipped, mean_abs


class InputMean(Gain):
    """y·K, K the mean of |x| over the inputs of each output: one map a group, zeros of the padding counted."""

    def forward(self, x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
        """Return y·K."""
        return y * mean(x.abs())


@dataclass(eq=False, repr=False, kw_only=True)
class XNOR(MeanScaled):
    """Binarization with the scales that approximate a float product best.

    Forward, weights: w_hat = α·sign(w), α = mean|w| per output channel. Inputs: x_hat = sign(x), and the layer's output is
    multiplied by K before its bias, K = mean|x| over the inputs that each output looks at (for a linear layer over its row).
    Backward, weights: dw = α·g·[|w| ≤ 1] + sign(w)/n·Σ g·sign(w), n weights per α. Inputs: dx = g where |x| ≤ 1, else 0;
    K has its true derivative.
    K is computed in float at run time. ``k=false`` leaves it out: then all that is left of a layer is a product of bits and α.
    Shapes: any → the same. 1 bit.

    Source: arXiv 1603.05279, sections 3.1 and 3.2; w1a32 is its Binary-Weight-Network.
    Differs from the paper: the derivative of α is the product rule's, as in its authors' code, where the paper prints 1/n;
    each group of a grouped convolution has its own K; sign(0) = +1.
    Differs from BiBench: there K is one number a sample, and α is a constant in the backward pass.
    """

    source: ClassVar[str] = "arXiv 1603.05279"

    k: bool = True

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)

    def factor(self, w: Tensor) -> Tensor:
        """Return mean|w|, with its derivative; another gradient mode stands for the whole of it."""
        return mean_abs(w, self.channels, self.axis) if self.gradient == "ste" else super().factor(w)

    def gain(self) -> nn.Module | None:
        """Return K."""
        return InputMean() if self.k and self.role == "activation" else None
