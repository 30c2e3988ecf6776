"""BiFSMN: sign(w) around each output's mean, with a scale that a kernel can take out of its sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.quantizers.binary import Binary, clipped, mean_abs, rows_of


@dataclass(eq=False, repr=False, kw_only=True)
class BiFSMN(Binary):
    """Binarization as BiFSMN's "Vanilla" binarizer, scaled per output channel.

    Forward, weights: w_hat = α·sign(w′), w′ = w − mean(w), α = mean|w′|, both over all but the output's axis; the weight of a
    linear layer is not centred. Inputs: x_hat = sign(x).
    Backward, weights: dw′ = α·g where |w′| ≤ 1, else 0, and dw = dw′ − mean(dw′); α is a constant. Inputs: dx = g where |x| ≤ 1.
    Shapes: any → the same. 1 bit. The thinnable network is bifsmn; the distillation training.match=hed.

    Source: arXiv 2202.06483, released code (63dcbe2).
    Differs from the paper: α per output channel. There it is taken over the kernel alone, one an (output, input) pair, so a 1×1
    convolution is left as it was: sign(w′)·|w′| = w′. sign(0) = +1.
    """

    source: ClassVar[str] = "arXiv 2202.06483"

    def transform(self, x: Tensor) -> Tensor:
        """Centre the weight of a convolution."""
        if self.role == "activation" or x.ndim < 3:
            return x
        return x - x.mean(rows_of(x, self.channels, self.axis), keepdim=True)

    def factor(self, w: Tensor) -> Tensor:
        """Return mean|w′|."""
        return mean_abs(self.transform(w.detach()), self.channels, self.axis)

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)
