"""BNN: the sign, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from bitproof.quantizers.binary import BINARIZED, Binary, clipped


@dataclass(eq=False, repr=False, kw_only=True)
class BNN(Binary):
    """Binarization without a scale.

    Forward, weights and inputs: x_hat = sign(x), sign(0) = +1.
    Backward: dx = g where |x| ≤ 1, else 0.
    Shapes: any → the same. 1 bit.

    Source: arXiv 1602.02830, equations 1 and 4.
    Differs from the paper: latent weights are not clipped to [−1, 1] after a step; those beyond get no gradient.
    """

    source: ClassVar[str] = "arXiv 1602.02830"
    idempotent: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**BINARIZED, "per": "tensor"}

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)
