"""MSE: the share of the full range with the smallest squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.quantizers.affine import code_range, scale_of, widen, zero_point_of
from bitproof.quantizers.search import Histogram, Searched, best_ratio, rounding_error
from bitproof.quantizers.ste import snap


@dataclass(eq=False, repr=False, kw_only=True)
class Mse(Searched):
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

    def span_of_counts(self, histogram: Histogram, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Shrink the full range by the ratio that rounds the counted values best."""
        lo, hi = widen(lo, hi, self.symmetric, bool(self.signed))
        values, counts = (t.to(lo.device) for t in histogram.values())
        low, high = code_range(self.bits, bool(self.signed))

        def error(ratio: float) -> Tensor:
            s = scale_of(lo * ratio, hi * ratio, self.bits, bool(self.signed))
            z = 0 if self.symmetric else int(zero_point_of(lo * ratio, s, self.bits))
            return (snap(values, s, low - z, high - z).sub_(values).square_() * counts).sum()

        ratio = best_ratio(error)
        return lo * ratio, hi * ratio

    def span_of_rows(self, rows: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Shrink the full range of each channel by the ratio that rounds it best."""
        lo, hi = widen(lo, hi, True, bool(self.signed))
        low, high = code_range(self.bits, bool(self.signed))
        ratio = best_ratio(lambda r: rounding_error(rows, scale_of(lo * r, hi * r, self.bits, bool(self.signed)), low, high))
        return lo * ratio, hi * ratio
