"""LSQ: the step size is learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.quantizers.affine import TRAINED, Quantizer, code_range
from bitproof.quantizers.learned import SMALLEST, learned_step, positive


@dataclass(eq=False, repr=False, kw_only=True)
class LSQ(Quantizer):
    """Quantization-aware training with a learned step size.

    Forward: v = x / s, x_hat = s·clip(round(v), low, high).
    Backward: dx = g where low ≤ v ≤ high, else 0;
    ds = c·Σ g·(round(v) − v where inside, low where below, high where above), c = 1 / √(n·high), n values per scale.
    Start: s = 2·mean|x| / √high, the mean over the first calibration batch; the sign is settled by all batches.
    Shapes: any → the same.

    Source: arXiv 1902.08153, equations 1–5 and section 2.2.
    Differs from the paper: |s| of at least 2⁻²⁴ is used, so s stays positive; the bounds count as inside; the activation's n
    includes the batch; signed data may use all 2^bits codes; first and last layer at 8 bits with their activations.
    """

    source: ClassVar[str] = "arXiv 1902.08153"
    trainable: ClassVar[bool] = True
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = TRAINED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scale = nn.Parameter(torch.ones(self.shape))
        self._means: list[Tensor] = []

    def step(self) -> Tensor:
        """Return the learned scale, positive."""
        return positive(self.scale)

    def collect(self, x: Tensor) -> None:
        """Keep mean|x| of the first batch."""
        if not self._means:
            values = x if self.channels is None else x.movedim(self.axis, 0).reshape(self.channels, -1)
            mean = values.abs().mean(None if self.channels is None else 1)
            self._means.append(mean.reshape(self.shape))

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Start at s = 2·mean|x| / √high; 1 where all is zero."""
        s = 2 * self._means[0] / math.sqrt(code_range(self.bits, bool(self.signed))[1])
        self.scale.copy_(torch.where(s > SMALLEST, s, 1.0))
        self._means = []

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round with gradients to ``x`` and to the scale."""
        return learned_step(x, self.scale, lower, upper, self.gradient)
