"""Min–max: the range of everything seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.quantizers.affine import Ranged


@dataclass(eq=False, repr=False, kw_only=True)
class MinMax(Ranged):
    """Post-training quantization over the full calibrated range.

    Forward: x_hat = (clip(round(x / s) + z, low, high) − z)·s over the range of all calibration batches.
    Affine: lo = min(x, 0), hi = max(x, 0), s = (hi − lo) / (2^bits − 1), z = round(−lo / s). Symmetric: s = max|x| / high, z = 0.
    Backward: dx = g inside the range, widened by half a step, else 0.
    Shapes: any → the same.

    Source: arXiv 1712.05877, equations 1 and 12.
    Differs from the paper: activations take the range of a calibration set, not a moving average; weights are per channel.
    """

    source: ClassVar[str] = "arXiv 1712.05877"
