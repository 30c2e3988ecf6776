"""Gradient rules of rounding: fused autograd functions, and the masks that they share.

The modes: ``exact`` is the true derivative, zero through rounding; ``ste`` lets the gradient pass where nothing was clipped;
``ste-full`` lets it pass everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bitproof.core import SpecError

#: The gradient modes of an affine quantizer.
MODES = ("exact", "ste", "ste-full")

# A bound belongs to the inside, also when s·code is off by a rounding error of float32.
_TOLERANCE = 1e-4


def snap(x: Tensor, s: Tensor, lower: int, upper: int) -> Tensor:
    """Return s·clip(round(x / s), lower, upper), half to even; x of any shape, s broadcasts."""
    return x.div(s).round_().clamp_(lower, upper).mul_(s)


def pass_inside(g: Tensor, x: Tensor, s: Tensor, lower: float, upper: float) -> Tensor:
    """Return g where lower ≤ x / s ≤ upper, else 0."""
    if s.numel() == 1 and not s.is_cuda:  # one vectorised pass; on CUDA reading s would wait for the device
        unit = float(s)
        low, high = (lower - _TOLERANCE) * unit, (upper + _TOLERANCE) * unit
        passed: Tensor = torch.ops.aten.hardtanh_backward(g, x, low, high)
        return passed
    return torch.where((x >= (lower - _TOLERANCE) * s) & (x <= (upper + _TOLERANCE) * s), g, 0.0)


def by_mode(gradient: str, g: Tensor, inside: Callable[[], Tensor]) -> Tensor:
    """Return the gradient of ``x`` by mode: zeros, ``inside()`` or ``g``. Raises SpecError on an unknown mode."""
    if gradient == "ste":
        return inside()
    if gradient == "ste-full":
        return g
    if gradient == "exact":
        return torch.zeros_like(g)
    raise SpecError(f"Gradient mode {gradient!r} is unknown to an affine quantizer: {', '.join(MODES)}.")


class _FakeQuantize(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, lower: int, upper: int, gradient: str) -> Tensor:
        ctx.save_for_backward(x, s)
        ctx.settings = lower, upper, gradient
        return snap(x, s, lower, upper)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        x, s = ctx.saved_tensors
        lower, upper, gradient = ctx.settings
        dx = by_mode(gradient, g, lambda: pass_inside(g, x, s, lower - 0.5, upper + 0.5))
        return dx, None, None, None, None


def fake_quantize(x: Tensor, s: Tensor, lower: int, upper: int, gradient: str = "ste") -> Tensor:
    """Snap ``x`` to a fixed grid.

    Forward: x_hat = s·clip(round(x / s), lower, upper), half to even.
    Backward: dx = g where lower − ½ ≤ x / s ≤ upper + ½ (``ste``), g (``ste-full``), or 0 (``exact``); nothing to ``s``.
    Shapes: x any → x_hat the same; s broadcasts against x. ``lower`` and ``upper`` are codes minus the zero point.
    Source: arXiv 1308.3432 (straight-through estimator).
    """
    if torch.is_grad_enabled() and x.requires_grad:
        x_hat: Tensor = _FakeQuantize.apply(x, s, lower, upper, gradient)
        return x_hat
    return snap(x, s, lower, upper)
