"""Percentile: the range without its rarest values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bitproof.core import SpecError
from bitproof.quantizers.search import Histogram, Searched


def row_percentile(rows: Tensor, q: float) -> tuple[Tensor, Tensor]:
    """Return the values that cut (100 − q)/2 % of each row at either end: rows C×n → C, C (nearest ranks)."""
    n = rows.shape[1]
    cut = int((100 - q) / 200 * n)
    ordered = rows.sort(1).values
    return ordered[:, cut], ordered[:, n - 1 - cut]


@dataclass(eq=False, repr=False, kw_only=True)
class Percentile(Searched):
    """Post-training quantization over the middle ``q`` per cent of the values.

    Forward: lo and hi cut (100 − q)/2 % of the calibration values at either end (unsigned data keep lo = 0), never beyond
    their minimum and maximum; then as min–max. Affine: s = (hi − lo) / (2^bits − 1), z = round(−lo / s). Symmetric:
    s = max(−lo, hi) / high, z = 0. x_hat = (clip(round(x / s) + z, low, high) − z)·s.
    Activations are counted in 16,384 bins, weights sorted exactly, per channel where there are channels.
    Backward: dx = g inside the range, widened by half a step, else 0.
    Shapes: any → the same. Raises SpecError unless 50 < q ≤ 100.

    Source: arXiv 2004.09602, section 4 (percentile calibration).
    Differs from the paper: the tails are cut at both ends together, not of |x|; weights use the percentile too.
    """

    source: ClassVar[str] = "arXiv 2004.09602"

    q: float = 99.99

    def __post_init__(self) -> None:
        if not 50 < self.q <= 100:
            raise SpecError(f"percentile q={self.q:g} is outside 50 < q ≤ 100. Type for example q=99.99.")
        super().__post_init__()

    def span_of_counts(self, histogram: Histogram, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Cut the tails of the counts."""
        low, high = histogram.percentile(self.q)
        return low.to(lo).clamp(lo, hi), high.to(hi).clamp(lo, hi)

    def span_of_rows(self, rows: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Cut the tails of each row."""
        return row_percentile(rows, self.q)
