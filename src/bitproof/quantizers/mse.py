"""MSE: the share of the full range with the smallest squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.quantizers.affine import Ranged, code_range, scale_of, widen, zero_point_of
from bitproof.quantizers.search import Histogram, best_ratio, rounding_error
from bitproof.quantizers.ste import snap


@dataclass(eq=False, repr=False, kw_only=True)
class Mse(Ranged):
    """Post-training quantization over the shrunken range that rounds best.

    Forward: of the ratios r = 1.00, 0.99, …, 0.05 the one with the smallest Σ (x_hat − x)² over the calibration values,
    lo and hi being the full range; then as min–max. Affine: s = r·(hi − lo) / (2^bits − 1), z = round(−r·lo / s). Symmetric:
    s = r·max|x| / high, z = 0. x_hat = (clip(round(x / s) + z, low, high) − z)·s.
    Activations are scored on a histogram of 16,384 bins, weights exactly, each channel by itself where there are channels.
    Backward: dx = g inside the range, widened by half a step, else 0.
    Shapes: any → the same.

    Source: arXiv 2106.08295, section 3.1 (MSE range setting, equation 11).
    Differs from the paper: the minimum is sought on a grid of 96 ratios.
    """

    source: ClassVar[str] = "arXiv 2106.08295"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._histogram = Histogram()
        self._rows: list[Tensor] = []

    def collect(self, x: Tensor) -> None:
        """Count the values, or keep them where there are channels (weights)."""
        if self.channels is None:
            self._histogram.add(x)
        else:
            self._rows.append(x.movedim(self.axis, 0).reshape(self.channels, -1))

    def span(self, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Shrink the full range by the best ratio."""
        lo, hi = widen(lo, hi, self.symmetric, bool(self.signed))
        ratio = self._tensor_ratio(lo, hi) if self.channels is None else self._channel_ratio(hi)
        self._histogram, self._rows = Histogram(), []
        return lo * ratio, hi * ratio

    def _tensor_ratio(self, lo: Tensor, hi: Tensor) -> Tensor:
        values, counts = (t.to(lo.device) for t in self._histogram.values())
        low, high = code_range(self.bits, bool(self.signed))

        def error(ratio: float) -> Tensor:
            s = scale_of(lo * ratio, hi * ratio, self.bits, bool(self.signed))
            z = 0 if self.symmetric else int(zero_point_of(lo * ratio, s, self.bits))
            return (snap(values, s, low - z, high - z).sub_(values).square_() * counts).sum()

        return best_ratio(error)

    def _channel_ratio(self, hi: Tensor) -> Tensor:
        rows = torch.cat(self._rows, 1)
        low, high = code_range(self.bits, True)
        bound = hi.flatten()
        ratio = best_ratio(lambda r: rounding_error(rows, scale_of(-bound * r, bound * r, self.bits, True), low, high))
        return ratio.reshape(self.shape)
