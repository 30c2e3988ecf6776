"""DoReFa: weights squashed by tanh, activations clipped to a fixed range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.quantizers.affine import TRAINED, Quantizer, Ranged, squash
from bitproof.quantizers.binary import BINARIZED, MeanScaled


@dataclass(eq=False, repr=False, kw_only=True)
class DoReFa(Ranged):
    """Quantization-aware training with fixed ranges.

    Forward, weights: w̃ = tanh(w) / (max|tanh(w)| + 1e-5), s = 2 / (2^bits − 1), x_hat = s·clip(round(w̃ / s), low, high).
    Forward, activations: the range is [0, 1], or [−1, 1] if the calibrated minimum is negative: s = 1 / (2^bits − 1) or
    2 / (2^bits − 1). At 8 bits it is the calibrated maximum instead: s = max|x| / high.
    Backward: dx = g inside the range, widened by half a step, else 0; for weights through w̃, its maximum included.
    Shapes: any → the same; the maximum is per channel where there are channels.

    Source: arXiv 1606.06160, equations 9 and 11; ranges and signs as MQBench (arXiv 2111.03759).
    Differs from the paper: 0 is a level, so weights use codes [−2^(b−1), 2^(b−1) − 1]; signed activations get [−1, 1];
    no gradient quantization. Differs from MQBench: 8-bit ranges are frozen at calibration, not taken from each batch.
    """

    source: ClassVar[str] = "arXiv 1606.06160"
    trainable: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = TRAINED

    def transform(self, x: Tensor) -> Tensor:
        """Squash weights; leave activations."""
        return squash(x, self.channels, self.axis) if self.role == "weight" else x

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Set the fixed scale, or at 8-bit activations that of what was seen."""
        if self.role == "activation" and self.bits == 8:
            super().settle(lo, hi)
        else:
            self.scale.fill_((2 if self.signed else 1) / (2**self.bits - 1))

    @classmethod
    def at_width(cls, bits: int) -> type[Quantizer]:
        """Return the paper's own form at 1 bit."""
        return DoReFa1 if bits == 1 else cls


#: The first value that is coded by 1: ½ itself is rounded to the even 0.
_HALF = 0.5 + 2.0**-24


def from_half(x: Tensor) -> Tensor:
    """Return x − ½⁺, which is negative exactly where round(x) ≤ 0."""
    return x - _HALF


@dataclass(eq=False, repr=False, kw_only=True)
class DoReFa1(MeanScaled):
    """DoReFa at 1 bit, under the same name.

    Forward, weights: x_hat = E|w|·sign(w), E|w| over the whole layer. Inputs: x_hat = round(clip(x, 0, 1)), so 0 or 1.
    Backward, weights: dw = g: all of it, and E|w| is a constant. Inputs: dx = g where 0 ≤ x ≤ 1, else 0.
    Shapes: any → the same. Negative inputs are lost, so there a ReLU may stay what it is.

    Source: arXiv 1606.06160, section 2.
    Differs from the paper: sign(0) = +1; no gradient quantization. Differs from BiBench: its inputs are −1 and +1, its weights
    have a scale per channel (``per=channel``), and their gradient is clipped.
    """

    source: ClassVar[str] = "arXiv 1606.06160"
    defaults: ClassVar[dict[str, Any]] = {**BINARIZED, "per": "tensor", "relu": "keep"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.low = -1 if self.role == "weight" else 0

    def transform(self, x: Tensor) -> Tensor:
        """Return what the sign is taken of."""
        return x if self.role == "weight" else from_half(x)

    def threshold(self) -> Tensor:
        """Return ½ and a little."""
        return torch.full((), _HALF, device=self.scale.device)

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass all weights, and inputs in [0, 1]."""
        return g if self.role == "weight" else torch.where((u >= -_HALF) & (u <= 1 - _HALF), g, 0.0)
