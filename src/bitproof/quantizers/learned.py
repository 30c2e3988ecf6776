"""Scales that are learned: what keeps them positive, and rounding with a gradient to them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bitproof.quantizers.ste import Backward, by_mode, pass_inside, snap

#: A scale is never smaller, so a channel of zeros has one too.
SMALLEST = 2.0**-24


def positive(s: Tensor) -> Tensor:
    """Return max(|s|, 2⁻²⁴): an optimizer step across zero cannot turn or kill the quantizer."""
    return s.abs().clamp_min(SMALLEST)


def inverse(s: Tensor) -> Tensor:
    """Return 1 / positive(s), negative where s is: the derivative of log(positive(s))."""
    return torch.where(s < 0, -1.0, 1.0) / positive(s)


def damping(values: int, scales: int, upper: int) -> float:
    """Return √(n·upper), n = values / scales: LSQ divides the gradient of a scale by it (arXiv 1902.08153, section 2.2)."""
    return math.sqrt(values / scales * upper)


def sum_like(x: Tensor, y: Tensor, s: Tensor) -> Tensor:
    """Return Σ x·y over what each scale of ``s`` is of."""
    if s.ndim == 0:
        return torch.dot(x.reshape(-1), y.reshape(-1))
    return (x * y).sum_to_size(s.shape)


class _LearnedStep(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, lower: int, upper: int, gradient: str | Backward) -> Tensor:
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
        weight = inverse(s) / damping(x.numel(), s.numel(), upper)
        return dx, (sum_like(g, x_hat, s) - sum_like(inside, x, s)) * weight, None, None, None


def learned_step(x: Tensor, s: Tensor, lower: int, upper: int, gradient: str | Backward) -> Tensor:
    """Snap ``x`` to the grid of a learned scale.

    Forward: v = x / positive(s), x_hat = positive(s)·clip(round(v), lower, upper).
    Backward: dx = g where lower ≤ v ≤ upper, else 0, or as ``by_mode`` says; ds = c·Σ g·(round(v) − v inside, the bound's code
    outside), c = 1 / √(n·upper), n values per scale. Shapes: x any → the same; s broadcasts.
    Source: arXiv 1902.08153, equations 1–5.
    """
    if torch.is_grad_enabled() and (x.requires_grad or s.requires_grad):
        x_hat: Tensor = _LearnedStep.apply(x, s, lower, upper, gradient)
        return x_hat
    return snap(x, positive(s), lower, upper)
