"""N2UQ: thresholds are learned one by one, levels stay equidistant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.core import Info, SpecError
from bitproof.quantizers.affine import TRAINED, Quantizer, code_range
from bitproof.quantizers.binary import mean_abs
from bitproof.quantizers.learned import SMALLEST, damping, positive, sum_like
from bitproof.quantizers.ste import Backward, by_mode, pass_inside


class _Warp(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, origin: Tensor, segments: Tensor, low: int) -> Tensor:
        edges = torch.cat([origin.reshape(1), origin + segments.cumsum(0)])
        index = torch.bucketize(x, edges[1:-1])
        rest = (x - edges[index]) / segments[index]
        ctx.save_for_backward(index, rest, segments)
        return rest + (index + low)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        index, rest, segments = ctx.saved_tensors
        dx = grads[0] / segments[index]
        if not any(ctx.needs_input_grad[1:3]):
            return dx, None, None, None
        flat, n = index.reshape(-1), len(segments)
        own = segments.new_zeros(n).index_add_(0, flat, (dx * rest).reshape(-1))
        passed = segments.new_zeros(n).index_add_(0, flat, dx.reshape(-1))
        beyond = passed.sum() - passed.cumsum(0)  # of the segments above each, which its length moves
        return dx, -passed.sum().reshape(()), -own - beyond, None


class _Level(Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, s: Tensor, low: int, high: int, gradient: str | Backward) -> Tensor:
        q = v.round().clamp_(low, high)
        ctx.save_for_backward(v, s, q)
        ctx.settings = low, high, gradient
        return q * positive(s)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        v, s, q = ctx.saved_tensors
        low, high, gradient = ctx.settings
        g, one = grads[0] * positive(s), torch.ones_like(s)
        dv = by_mode(gradient, g, v, one, low, high, lambda: pass_inside(g, v, one, low, high))
        return dv, sum_like(grads[0], q, s) * torch.where(s < 0, -1.0, 1.0), None, None, None


class _Odd(Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor, s: Tensor, high: int, gradient: str | Backward) -> Tensor:
        ctx.save_for_backward(w, s)
        ctx.settings = high, gradient
        return odd(w, s, high) * s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        w, s = ctx.saved_tensors
        high, gradient = ctx.settings
        dw = by_mode(gradient, g, w + high * s, 2 * s, 0, high, lambda: pass_inside(g, w, s, -high, high))
        return dw, None, None, None


def odd(w: Tensor, s: Tensor, high: int) -> Tensor:
    """Return 2·clip(round((w / s + high) / 2), 0, high) − high: −high, 2 − high, …, high, float."""
    return w.div(s).add_(high).div_(2).round_().clamp_(0, high).mul_(2).sub_(high)


class _Damped(Function):
    @staticmethod
    def forward(ctx: Any, parameter: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return parameter.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return grads[0] * ctx.factor, None


@dataclass(eq=False, repr=False, kw_only=True)
class N2UQ(Quantizer):
    """Quantization-aware training with learned thresholds and equidistant levels; of the uniform methods, strong at 2 bits.

    Forward, activations: n = 2^bits − 1 segments of learned lengths a₀, a₁, … lie side by side from d; in segment i, which
    starts at eᵢ, v = low + i + (x − eᵢ) / aᵢ (the outermost go on); x_hat = s·clip(round(v), low, high): a threshold is the
    middle of a segment.
    Forward, weights: s = mean|w| / 2^(bits−1), x_hat = s·(2·clip(round((w / s + n) / 2), 0, n) − n): odd codes, 0 is no level.
    Backward, activations: dv = s·g where low ≤ v ≤ high, else 0, then as v is: dx = dv / aᵢ, and so to all lengths and to d;
    ds = Σ g·q. What is learned gets its gradient times c = 1 / √(values·high). Weights: dw = g where |w| ≤ n·s, s a constant.
    Start: s = 2·mean|x| / √high over the first calibration batch, all lengths s, d = low·s: LSQ's grid.
    Shapes: any → the same; s of a weight is per channel where there are channels. Raises SpecError for per-channel activations.

    Source: arXiv 2111.14826, equations 4–7 (thresholds and their gradient) and 9–10 (weights).
    Differs from the paper: start and c are LSQ's; the scale of x before the thresholds is part of the lengths; |a| and |s| of at
    least 2⁻²⁴ are used; signed activations have signed codes; the weight's gradient is not divided by its scale, and 0 outside.
    """

    source: ClassVar[str] = "arXiv 2111.14826"
    trainable: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**TRAINED, "per": "channel"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._means: list[Tensor] = []
        if self.role == "weight":
            self.register_buffer("scale", torch.ones(self.shape))
            return
        if self.channels is not None:
            raise SpecError("N2UQ learns the thresholds of a tensor; per-channel activations were asked.")
        self.scale = nn.Parameter(torch.ones(()))
        self.origin = nn.Parameter(torch.zeros(()))
        self.segments = nn.Parameter(torch.ones(2**self.bits - 1))

    def code_range(self) -> tuple[int, int]:
        """Return the lowest and highest code; of weights every second one is used."""
        high = 2**self.bits - 1
        return (-high, high) if self.role == "weight" else code_range(self.bits, bool(self.signed))

    def collect(self, x: Tensor) -> None:
        """Keep mean|x| of the first batch."""
        if not self._means:
            self._means.append(mean_abs(x, self.channels, self.axis).reshape(self.shape))

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Set a weight's scale, or start on an equidistant grid; 1 where all is zero."""
        if self.role == "weight":
            self.scale.copy_(self._of_mean(self._means[0]))
        else:
            low, high = self.code_range()
            s = 2 * self._means[0] / math.sqrt(high)
            self.scale.copy_(torch.where(self._means[0] > SMALLEST, s, 1.0))
            self.segments.fill_(self.scale)
            self.origin.copy_(low * self.scale)
        self._means = []

    def _of_mean(self, mean: Tensor) -> Tensor:
        return positive(mean / 2 ** (self.bits - 1))

    def step(self) -> Tensor:
        """Return the scale, of a weight that of the one seen last."""
        return self.scale if self.role == "weight" else positive(self.scale)

    def _take(self, w: Tensor) -> Tensor:
        """Return the scale of this weight, and keep it for ``info``."""
        s = self._of_mean(mean_abs(w.detach(), self.channels, self.axis).reshape(self.shape))
        with torch.no_grad():
            self.scale.copy_(s)
        return s

    def warp(self, x: Tensor) -> Tensor:
        """Return v, which rounds to the code."""
        c = 1 / damping(x.numel(), 1, self.code_range()[1])
        v: Tensor = _Warp.apply(x, _Damped.apply(self.origin, c), _Damped.apply(positive(self.segments), c), self.code_range()[0])
        return v

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, of the shape of ``x``; the gradient follows ``self.gradient``."""
        low, high, _ = self.limits()
        if self.role == "weight":
            w_hat: Tensor = _Odd.apply(x, self._take(x), high, self.gradient)
            return w_hat
        s = _Damped.apply(self.scale, 1 / damping(x.numel(), 1, high))
        x_hat: Tensor = _Level.apply(self.warp(x), s, low, high, self.gradient)
        return x_hat

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``; of a weight, its scale is then that of ``info``."""
        low, high, _ = self.limits()
        if self.role == "weight":
            return odd(x, self._take(x), high).to(torch.int32)
        return self.warp(x).round_().clamp_(low, high).to(torch.int32)

    def info(self) -> Info:
        """Return the numbers; a weight's scale is that of the weight seen last."""
        low, high, _ = self.limits()
        return Info(self.bits, self.step().detach(), self.zero_point.detach(), low, high, 2 if self.role == "weight" else 1)
