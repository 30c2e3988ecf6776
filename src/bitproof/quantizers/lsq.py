"""LSQ: the step size is learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.quantizers.affine import TRAINED, Quantizer, code_range
from bitproof.quantizers.ste import by_mode, pass_inside, snap

_SMALLEST = 2.0**-24


def positive(s: Tensor) -> Tensor:
    """Return max(|s|, 2⁻²⁴): an optimizer step across zero cannot turn or kill the quantizer."""
    return s.abs().clamp_min(_SMALLEST)


def _sum_like(x: Tensor, y: Tensor, s: Tensor) -> Tensor:
    if s.ndim == 0:
        return torch.dot(x.reshape(-1), y.reshape(-1))
    return (x * y).sum_to_size(s.shape)


class _LearnedStep(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, lower: int, upper: int, gradient: str) -> Tensor:
        x_hat = snap(x, positive(s), lower, upper)
        ctx.save_for_backward(x, s, x_hat)
        ctx.settings = lower, upper, gradient
        return x_hat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        x, s, x_hat = ctx.saved_tensors
        lower, upper, gradient = ctx.settings
        inside = pass_inside(g, x, positive(s), lower, upper)
        dx = by_mode(gradient, g, x, positive(s), lower, upper, lambda: inside)
        if not ctx.needs_input_grad[1]:
            return dx, None, None, None, None
        # (round(v) − v)·s inside and the bound's code·s outside are x_hat − x·[inside]
        slope = torch.where(s < 0, -1.0, 1.0) / positive(s)
        weight = slope / math.sqrt(x.numel() / s.numel() * upper)
        return dx, (_sum_like(g, x_hat, s) - _sum_like(inside, x, s)) * weight, None, None, None


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
        self.scale.copy_(torch.where(s > _SMALLEST, s, 1.0))
        self._means = []

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round with gradients to ``x`` and to the scale."""
        if torch.is_grad_enabled() and (x.requires_grad or self.scale.requires_grad):
            x_hat: Tensor = _LearnedStep.apply(x, self.scale, lower, upper, self.gradient)
            return x_hat
        return snap(x, self.step(), lower, upper)
