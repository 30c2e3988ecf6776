"""Gradient rules of rounding: fused autograd functions, and what they share.

The modes: ``exact`` is the true derivative, zero through rounding; ``ste`` lets the gradient pass where nothing was clipped;
``ste-full`` lets it pass everywhere; ``soft`` is the slope of a smooth staircase; ``bpda`` is a backward that was handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function

from bitproof.core import GRADIENT_MODES, Gradient, Registry, SpecError

#: The gradient modes of an affine quantizer.
MODES = GRADIENT_MODES

#: (g, x, s, lower, upper) → dx: a backward of x_hat = s·clip(round(x / s), lower, upper), of the shape of ``x``.
Backward = Callable[[Tensor, Tensor, Tensor, int, int], Tensor]

#: The backwards that ``bpda:NAME`` finds; other packages add theirs under ``bitproof.backwards``.
BACKWARDS = Registry("backward", {"decay": "bitproof.quantizers.ste:Decay"})

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


def soft_slope(v: Tensor, lower: int, upper: int, temperature: float) -> Tensor:
    """Return the slope of the smooth staircase φ at v = x / s.

    φ(v) = m + tanh((v − m) / T) / (2·tanh(1 / 2T)) between two levels, m their middle: x for large T, rounding for T → 0.
    φ'(v) = (1 − tanh²((v − m) / T)) / (2T·tanh(1 / 2T)), m = clip(⌊v⌋, lower, upper − 1) + ½.
    Source: arXiv 1908.05033, section 3 (its staircase φ).
    Differs from the paper: beyond the range v takes the tail of the outermost jump, not 0.
    """
    m = v.floor().clamp_(lower, upper - 1).add_(0.5)
    t = v.sub(m).div_(temperature).tanh_()
    return t.square_().neg_().add_(1).div_(2 * temperature * math.tanh(0.5 / temperature))


def by_mode(
    gradient: str | Backward, g: Tensor, x: Tensor, s: Tensor, lower: int, upper: int, inside: Callable[[], Tensor]
) -> Tensor:
    """Return the gradient of ``x`` for x_hat = s·clip(round(x / s), lower, upper), by mode.

    ``exact`` 0; ``ste`` what ``inside()`` returns; ``ste-full`` g; ``soft`` g·φ'(x / s); ``bpda`` what the backward returns, which
    stands in the place of the mode or is found by its name. Raises SpecError on an unknown mode, UnknownName on a backward.
    """
    if not isinstance(gradient, str):
        return gradient(g, x, s, lower, upper)
    found = Gradient.parse(gradient)
    if found.mode == "ste":
        return inside()
    if found.mode == "ste-full":
        return g
    if found.mode == "soft":
        return g * soft_slope(x / s, lower, upper, found.at(1.0).start)
    if found.mode == "bpda":
        return named_backward(found.name)(g, x, s, lower, upper)
    return torch.zeros_like(g)


def named_backward(name: str) -> Backward:
    """Return the registered backward ``name``. Raises SpecError without one, UnknownName where there is no such."""
    if not name:
        raise SpecError(
            "grad=bpda needs a backward: TorchVictim(module, backward=f) in Python, or the name of a registered one, "
            "for example grad=bpda:decay. 'bitproof list backwards' shows all."
        )
    backward: Backward = BACKWARDS.build(name)
    return backward


@dataclass(frozen=True)
class Decay:
    """Passes the gradient inside the range, and less of it the further a value was clipped.

    dx = g·exp(−d / (upper − lower)), d = max(lower − x/s, x/s − upper, 0), so that a clipped value is still pulled back.
    Shapes: any → the same. Source: bitproof's own, in the manner of arXiv 1802.00420 §4.1.
    """

    source: ClassVar[str] = "arXiv 1802.00420"
    version: ClassVar[int] = 1

    def __call__(self, g: Tensor, x: Tensor, s: Tensor, lower: int, upper: int) -> Tensor:
        """Return dx."""
        v = x / s
        beyond = v.sub(v.clamp(lower, upper)).abs_()
        return g * beyond.div_(lower - upper).exp_()


class _FakeQuantize(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, lower: int, upper: int, gradient: str | Backward) -> Tensor:
        ctx.save_for_backward(x, s)
        ctx.settings = lower, upper, gradient
        return snap(x, s, lower, upper)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        x, s = ctx.saved_tensors
        lower, upper, gradient = ctx.settings
        dx = by_mode(gradient, g, x, s, lower, upper, lambda: pass_inside(g, x, s, lower - 0.5, upper + 0.5))
        return dx, None, None, None, None


def fake_quantize(x: Tensor, s: Tensor, lower: int, upper: int, gradient: str | Backward = "ste") -> Tensor:
    """Snap ``x`` to a fixed grid.

    Forward: x_hat = s·clip(round(x / s), lower, upper), half to even.
    Backward: dx = g where lower − ½ ≤ x / s ≤ upper + ½ (``ste``), else as ``by_mode`` says; nothing to ``s``.
    Shapes: x any → x_hat the same; s broadcasts against x. ``lower`` and ``upper`` are codes minus the zero point.
    Source: arXiv 1308.3432 (straight-through estimator).
    """
    if torch.is_grad_enabled() and x.requires_grad:
        x_hat: Tensor = _FakeQuantize.apply(x, s, lower, upper, gradient)
        return x_hat
    return snap(x, s, lower, upper)
