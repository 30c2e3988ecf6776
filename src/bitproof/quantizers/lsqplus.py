"""LSQ+: step size and offset of activations are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.core import Info
from bitproof.quantizers.affine import TRAINED, scale_of, widen
from bitproof.quantizers.learned import SMALLEST, damping, inverse, learned_step, positive
from bitproof.quantizers.search import LeastSquares
from bitproof.quantizers.ste import Backward, by_mode, pass_inside, snap


def spread(w: Tensor, channels: int | None, axis: int) -> Tensor:
    """Return max(|μ − 3σ|, |μ + 3σ|) of all values, or of each channel: () or channels."""
    rows = w.reshape(1, -1) if channels is None else w.movedim(axis, 0).reshape(channels, -1)
    ends = rows.mean(1).abs() + 3 * rows.std(1, correction=0)
    return ends.reshape(() if channels is None else (channels,))


class _LearnedAffine(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, offset: Tensor, z: int, high: int, gradient: str | Backward) -> Tensor:
        x_hat = snap(x, positive(s), -z, high - z)
        ctx.save_for_backward(x, s, x_hat)
        ctx.settings = z, high, gradient
        return x_hat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        x, s, x_hat = ctx.saved_tensors
        z, high, gradient = ctx.settings
        inside = pass_inside(g, x, positive(s), -z, high - z)
        dx = by_mode(gradient, g, x, positive(s), -z, high - z, lambda: inside)
        c = 1 / damping(x.numel(), 1, high)
        outside = (g - inside).sum()  # x_hat = s·code + β there, of which β is what a shift moves
        ds = (torch.dot(g.reshape(-1), x_hat.reshape(-1)) - torch.dot(inside.reshape(-1), x.reshape(-1))) * inverse(s)
        return dx, (ds + z * outside * s.sign()) * c, outside * c, None, None, None


@dataclass(eq=False, repr=False, kw_only=True)
class LSQPlus(LeastSquares):
    """Quantization-aware training with a learned step size and, for activations, a learned offset.

    Forward, activations: v = x / s, z = clip(round(−β / s), 0, high), high = 2^bits − 1,
    x_hat = s·(clip(round(v) + z, 0, high) − z). Weights, and activations with ``symmetric=true``: as LSQ.
    Backward: dx = g where no code is clipped, else 0; ds = c·Σ g·(round(v) − v where inside, the bound's code where
    outside); dβ = c·Σ g where outside; c = 1 / √(n·high), n values per scale.
    Start: weights s = max(|μ − 3σ|, |μ + 3σ|) / 2^(bits−1); activations the s and β with the smallest Σ (x_hat − x)² of the
    calibration batches, among ranges that are a share of the full one.
    Shapes: any → the same.

    Source: arXiv 2004.09576, equations 1–5 and section 3.3 (configuration 4: unsigned codes, learned offset).
    Differs from the paper: z is a whole number, so that 0 is a level and padding is exact; |s| of at least 2⁻²⁴ is used; the bounds
    count as inside; β has LSQ's factor c too; the start is sought among 96 ranges.
    """

    source: ClassVar[str] = "arXiv 2004.09576"
    trainable: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**TRAINED, "symmetric": False}

    def __post_init__(self) -> None:
        super().__post_init__()
        del self.scale
        self.scale = nn.Parameter(torch.ones(self.shape))
        self.offset = None if self.symmetric else nn.Parameter(torch.zeros(()))

    def collect(self, x: Tensor) -> None:
        """Look at the spread of a weight; count the values of an activation."""
        if self.role == "weight":
            self._spread = spread(x, self.channels, self.axis).reshape(self.shape)
        else:
            super().collect(x)

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Start scale and offset."""
        if self.role == "weight":
            s = self._spread / 2 ** (self.bits - 1)
        else:
            lo, hi = widen(*self.span(lo, hi), self.symmetric, bool(self.signed))
            s = scale_of(lo, hi, self.bits, bool(self.signed))
        self.scale.copy_(torch.where(s > SMALLEST, s, 1.0))
        if self.offset is not None:
            self.offset.copy_(lo)

    def step(self) -> Tensor:
        """Return the learned scale, positive."""
        return positive(self.scale)

    @torch.no_grad()
    def limits(self) -> tuple[int, int, int]:
        """Return (−z, high − z, z), z following from the learned numbers. Raises BitproofError before ``freeze``."""
        lower, upper, z = super().limits()
        if self.offset is None:
            return lower, upper, z
        high = self.code_range()[1]
        z = int((-self.offset / self.step()).round().clamp(0, high))
        return -z, high - z, z

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round with gradients to ``x``, to the scale and to the offset."""
        if self.offset is None or not torch.is_grad_enabled():
            return learned_step(x, self.scale, lower, upper, self.gradient)
        x_hat: Tensor = _LearnedAffine.apply(x, self.scale, self.offset, -lower, upper - lower, self.gradient)
        return x_hat

    def info(self) -> Info:
        """Return the frozen numbers."""
        lower, upper, z = self.limits()
        zero = torch.full_like(self.zero_point, z)
        return Info(self.bits, self.step().detach(), zero, lower + z, upper + z)
