"""PACT: the clipping level of activations is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.core import SpecError
from bitproof.quantizers.affine import TRAINED, Ranged, squash
from bitproof.quantizers.ste import by_mode, pass_inside, snap

_SMALLEST = 2.0**-16


def width(alpha: Tensor, bits: int, signed: bool) -> Tensor:
    """Return s = α / (2^bits − 1), or 2α / (2^bits − 1) if signed; α counts as at least 2⁻¹⁶."""
    steps: float = (2**bits - 1) / (2 if signed else 1)
    return alpha.clamp_min(_SMALLEST) / steps


class _LearnedClip(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, bits: int, lower: int, upper: int, gradient: str) -> Tensor:
        s = width(alpha, bits, lower < 0)
        ctx.save_for_backward(x, s)
        ctx.settings = bits, lower, upper, gradient
        return snap(x, s, lower, upper)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        x, s = ctx.saved_tensors
        bits, lower, upper, gradient = ctx.settings
        signed = lower < 0
        top = (2**bits - 1) / (2 if signed else 1)  # α in steps
        inside = pass_inside(g, x, s, -top if signed else 0, top)
        dalpha = (g - inside).mul_(x.sign() if signed else x > 0).sum() if ctx.needs_input_grad[1] else None
        return by_mode(gradient, g, x, s, lower, upper, lambda: inside), dalpha, None, None, None, None


@dataclass(eq=False, repr=False, kw_only=True)
class PACT(Ranged):
    """Quantization-aware training with a learned clipping level α for activations.

    Forward, activations: s = α / (2^bits − 1), x_hat = s·clip(round(x / s), 0, 2^bits − 1); if the calibrated minimum is
    negative, s = 2α / (2^bits − 1) with signed codes. α starts at ``start``, or with ``start=none`` at the calibrated max|x|.
    Backward, activations: dx = g where 0 ≤ x ≤ α (signed: |x| ≤ α), else 0; dα = Σ g where x > α, minus Σ g where x < −α
    if signed. The loss gains ``penalty()`` = ½·decay·α²; an optimizer should not decay α again.
    Weights: as DoReFa, w̃ = tanh(w) / (max|tanh(w)| + 1e-5), s = 2 / (2^bits − 1).
    Shapes: any → the same; α is per tensor. Raises SpecError for per-channel activations or start ≤ 0.

    Source: arXiv 1805.06085, equations 1–3; weights arXiv 1606.06160, equation 9.
    Differs from the paper: signed activations have a signed clip; 0 is a level of the weights; start 6 (MQBench's) for all nets.
    """

    source: ClassVar[str] = "arXiv 1805.06085"
    trainable: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = TRAINED

    start: float | None = 6.0
    decay: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start is not None and self.start <= 0:
            raise SpecError(f"PACT start={self.start:g} has to be positive, or none for the calibrated maximum.")
        if self.role == "weight":
            return
        if self.channels is not None:
            raise SpecError("PACT learns one α per tensor; per-channel activations were asked.")
        self.alpha = nn.Parameter(torch.tensor(self.start or 1.0))
        self.register_buffer("scale", None)

    def transform(self, x: Tensor) -> Tensor:
        """Squash weights; leave activations."""
        return squash(x, self.channels, self.axis) if self.role == "weight" else x

    def step(self) -> Tensor:
        """Return the scale, for activations made from α."""
        return self.scale if self.role == "weight" else width(self.alpha, self.bits, bool(self.signed))

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Set the weights' scale, or start α."""
        if self.role == "weight":
            self.scale.fill_(2 / (2**self.bits - 1))
            return
        seen = torch.maximum(lo.abs(), hi.abs())
        self.alpha.fill_(self.start if self.start is not None else torch.where(seen > _SMALLEST, seen, 1.0))

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round with gradients to ``x`` and to α."""
        if self.role == "weight" or not (torch.is_grad_enabled() and (x.requires_grad or self.alpha.requires_grad)):
            return super().snap(x, lower, upper)
        x_hat: Tensor = _LearnedClip.apply(x, self.alpha, self.bits, lower, upper, self.gradient)
        return x_hat

    def penalty(self) -> Tensor:
        """Return ½·decay·α², 0 for weights."""
        if self.role == "weight":
            return torch.zeros((), device=self.zero_point.device)
        return 0.5 * self.decay * self.alpha.square()
