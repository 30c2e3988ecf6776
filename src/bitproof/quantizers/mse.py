"""MSE: the share of the full range with the smallest squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.quantizers.search import LeastSquares


@dataclass(eq=False, repr=False, kw_only=True)
class Mse(LeastSquares):
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
