"""DoReFa: weights squashed by tanh, activations clipped to a fixed range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from bitproof.quantizers.affine import TRAINED, Ranged, squash


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
