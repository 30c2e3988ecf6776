"""One bit: the base class of the binarization methods, their gradient rules, and what a deployed layer reads.

A layer computes ``y = gain(s_w·s_x·Σ q_w·q_x) + bias`` and everything in it can be asked for:

- ``weight_quantizer.codes(w)`` are −1 and +1, for ``kernels.pack_weight``; ``info().scale`` is s_w, one number or one an output.
- ``input_quantizer.info()``: the code is ``low`` where x < ``threshold`` (one number or one an input channel), else ``high`` = +1;
  s_x is its ``scale``. ``low`` is −1, or 0 (DoReFa), and then Σ q_w·q_x = ½·(Σ q_w·b + Σ q_w) with b = 2·q_x − 1 in {−1, +1}.
- The border holds the *value* 0, put there after the input's quantizer: code 0, which the kernels take back exactly (``pad=0``).
  Where ``low`` is 0 that is b = −1.
- ``gain`` is None, or a ``Gain``: what a method multiplies the output by beside the scales. A layer with one needs float work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.core import Info, SpecError
from bitproof.quantizers.affine import Quantizer
from bitproof.quantizers.learned import SMALLEST
from bitproof.quantizers.ste import Backward, by_mode

#: What binarization methods take where a recipe says nothing, as the field has it: BiBench (arXiv 2301.11233), its code 5a04a6d.
BINARIZED: dict[str, Any] = {
    "per": "channel",
    "symmetric": True,
    "first": "float",
    "last": "float",
    "fold": False,
    "keep": "downsample|shortcut",
    "relu": "hardtanh",
}

#: The same for whole encoders: all linear layers but the last, the word embedding, and both products of every attention.
ENCODER: dict[str, Any] = {**BINARIZED, "first": "same", "keep": "", "relu": "keep", "products": "same", "embed": "word"}

_BEYOND_ONE = 1 + 2.0**-23  # the next float32: 1 itself lies inside

#: (g, u) → the gradient of u for sign(u).
Rule = Callable[[Tensor, Tensor], Tensor]


def clipped(g: Tensor, u: Tensor) -> Tensor:
    """Return g where |u| ≤ 1, else 0: the straight-through estimator with a clip. Source: arXiv 1602.02830, equation 4."""
    passed: Tensor = torch.ops.aten.hardtanh_backward(g, u, -_BEYOND_ONE, _BEYOND_ONE)
    return passed


def tent(g: Tensor, u: Tensor) -> Tensor:
    """Return g·max(0, 2 − 2·|u|): the slope of a piecewise parabola from −1 to 1. Source: arXiv 1808.00278 (ApproxSign)."""
    return g * u.abs().mul_(-2).add_(2).clamp_(min=0)


def rows_of(w: Tensor, channels: int | None, axis: int) -> list[int]:
    """Return the axes of ``w`` over which one scale stands: all, or all but ``axis`` where there are channels."""
    return [d for d in range(w.ndim) if channels is None or d != w.ndim + axis]


def mean_abs(w: Tensor, channels: int | None, axis: int) -> Tensor:
    """Return mean|w|, at least 2⁻²⁴: (), or channels×1×… where there are channels (leading axes of size 1 are left out)."""
    dims = rows_of(w, channels, axis)
    mean = w.abs().mean(dims, keepdim=channels is not None).clamp_min(SMALLEST)
    return mean if channels is None else mean.reshape(channels, *[1] * (-axis - 1))


class _Snap(Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, low: int, rule: Rule, gradient: str | Backward) -> Tensor:
        ctx.save_for_backward(u)
        ctx.settings = low, rule, gradient
        return codes_of(u, low)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,), (u,) = grads, ctx.saved_tensors
        low, rule, gradient = ctx.settings
        # In the other modes sign is what rounding to the codes 0 and 1 is, at v = u / (1 − low) + ½.
        v = u if gradient == "ste" else u / (1 - low) + 0.5
        return by_mode(gradient, g, v, u.new_ones(()), 0, 1, lambda: rule(g, u)), None, None, None


def codes_of(u: Tensor, low: int) -> Tensor:
    """Return ``low`` where u < 0, else 1, in the dtype of ``u``: never 0 at u = ±0."""
    return (u < 0).to(u.dtype).mul_(low - 1).add_(1)


def snap(u: Tensor, low: int, rule: Rule, gradient: str | Backward = "ste") -> Tensor:
    """Snap to two codes.

    Forward: ``low`` where u < 0, else 1. Backward: du = rule(g, u) in mode ``ste``, else as ``ste.by_mode`` says.
    Shapes: any → the same.
    """
    if torch.is_grad_enabled() and u.requires_grad:
        q: Tensor = _Snap.apply(u, low, rule, gradient)
        return q
    return codes_of(u, low)


class Gain(nn.Module, ABC):
    """What a method multiplies a layer's output by, before the bias, beside the scales of input and weight."""

    def observe(self, y: Tensor, axes: int) -> None:
        """See the float layer's output of a calibration batch, whose last ``axes`` are spatial."""

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``y`` times the factor.

        ``x`` is the layer's input before its quantizer; ``mean`` averages a tensor of its shape over what each output of the
        layer looks at, with its own kernel, stride, padding, dilation and groups: N×C×… → N×1×… or N×O×….
        """


@dataclass(eq=False, repr=False, kw_only=True)
class Binary(Quantizer):
    """Base of the binarization methods: x_hat = s·q, q = −1 where u < 0, else +1, with u = ``transform(x)``.

    A method says what its gradient is (``slope``) and, for weights, what s is (``factor``); for inputs s is 1.
    """

    widths: ClassVar[tuple[int, ...]] = (1,)
    rounding: ClassVar[str] = "to the sign, that of 0 being +1"
    trainable: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = BINARIZED
    low = -1

    scale: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("scale", torch.ones(self.shape if self.role == "weight" else ()))

    # What a method fills in.

    @abstractmethod
    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Return the gradient of u for the codes of u."""

    def factor(self, w: Tensor) -> Tensor:
        """Return the scale of a weight: here 1."""
        return self.scale

    def start(self, w: Tensor) -> None:
        """Set what is learned from the weight at calibration."""

    def threshold(self) -> Tensor:
        """Return where an input's code changes."""
        return torch.zeros((), device=self.scale.device)

    # What everybody calls.

    @property
    def at_zero(self) -> bool:
        """Codes are signs."""
        return self.low < 0

    def code_range(self) -> tuple[int, int]:
        """Return ``low`` and +1."""
        return self.low, 1

    def step(self) -> Tensor:
        """Return the scale of what was seen last."""
        return self.scale

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take one calibration batch into the statistics. Raises ShapeError on NaN, infinity or wrong channels."""
        super().observe(x)
        if self.role == "weight":
            self.start(x)
            self._factor(x)

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Refuse inputs that would all get the same code."""
        if self.role == "activation" and self.low < 0 and bool((lo >= 0).all()):
            raise SpecError(
                "it is never negative, so all its signs are +1 and nothing passes. Put nn.Hardtanh where its ReLU is computed "
                "(a recipe's relu=hardtanh replaces the modules nn.ReLU, no function), name the layer in keep=, "
                "or take dorefa or elastic, whose codes can be 0 and 1."
            )

    def _factor(self, w: Tensor) -> Tensor:
        s = self.factor(w)
        if s is not self.scale and "scale" in self._buffers:
            with torch.no_grad():
                self.scale.copy_(s)
        return s

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, of the shape of ``x``; the gradient follows ``self.gradient``."""
        self.limits()
        q = snap(self.transform(x), self.low, self.slope, self.gradient)
        return q * self._factor(x) if self.role == "weight" else q

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``; of a weight, its scale is then that of ``info``."""
        self.limits()
        if self.role == "weight":
            self._factor(x)
        return codes_of(self.transform(x), self.low).to(torch.int32)

    def info(self) -> Info:
        """Return the numbers; a weight's scale is that of the weight seen last."""
        self.limits()
        threshold = self.threshold().detach() if self.role == "activation" else None
        return Info(1, self.step().detach(), self.zero_point.detach(), self.low, 1, 1 - self.low, threshold)


@dataclass(eq=False, repr=False, kw_only=True)
class MeanScaled(Binary):
    """Base of the methods whose weight has the scale mean|w|, a constant in the backward pass."""

    def factor(self, w: Tensor) -> Tensor:
        """Return mean|w|, one for all or one a channel."""
        return mean_abs(w.detach(), self.channels, self.axis)


@dataclass(eq=False, repr=False, kw_only=True)
class Centred(MeanScaled):
    """Base of the methods whose weight is w_hat = s·sign(w − w̄): w̄ is the mean of what one scale stands for, s mean|w| before it.

    Both gradients of the difference are taken, so dw = dv − mean(dv), dv = s·g·[|w − w̄| ≤ 1]; s is a constant.
    """

    def transform(self, x: Tensor) -> Tensor:
        """Take the mean off a weight."""
        if self.role != "weight":
            return x
        return x - x.mean(rows_of(x, self.channels, self.axis), keepdim=True)

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)


@dataclass(eq=False, repr=False, kw_only=True)
class LearnedScale(Binary):
    """Base of the methods that learn a weight's scale; |scale| of at least 2⁻²⁴ is used, and it starts at mean|w|."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role == "weight":
            del self.scale
            self.scale = nn.Parameter(torch.ones(self.shape))

    def step(self) -> Tensor:
        """Return the learned scale, positive."""
        return self.scale.abs().clamp_min(SMALLEST) if self.role == "weight" else self.scale

    def factor(self, w: Tensor) -> Tensor:
        """Return the learned scale."""
        return self.step()

    def start(self, w: Tensor) -> None:
        """Start at mean|w|."""
        self.scale.copy_(mean_abs(w, self.channels, self.axis))
