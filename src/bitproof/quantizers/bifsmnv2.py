"""BiFSMNv2: a learned slope behind each sign, and a second sign for what the first one leaves of an input."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import Info, SpecError
from bitproof.quantizers.affine import Quantizer
from bitproof.quantizers.binary import MeanScaled, clipped, codes_of, snap
from bitproof.quantizers.learned import SMALLEST

#: Share of a batch in the running scale of an input's second sign, and the smallest slope.
MOMENTUM, SMALLEST_SLOPE = 0.1, 2.0**-10


@dataclass(eq=False, repr=False, kw_only=True)
class BiFSMNv2(MeanScaled):
    """Binarization with a learned propagation; w1a2 is the published method, whose inputs are two signs each, w1a1 has one.

    Forward, weights: w_hat = a·sign(αw), a = mean|w| per output channel. Inputs, w1a1: x_hat = sign(α(x − θ)), θ per input channel.
    w1a2: b₁ = sign(α₁(x − θ₀)), r = x − b₁ − θ₁, b₂ = sign(α₂r), x_hat = b₁ + s·b₂, s one number: the mean of |r|, followed in
    training and frozen then. Backward, u = αv: dv = α·g where |u| ≤ 1, else 0; dα = Σ g·v where |u| ≤ 1; s and a are constants.
    Shapes: any → the same. 1 bit; inputs 1 or 2. α > 0 starts at 1, θ at 0. Raises SpecError for weights of 2 bits.

    Source: arXiv 2211.06987, released code (da08de3).
    Differs from the paper: a is per output channel, there one an (output, input) pair, which leaves a 1×1 convolution as it was; s
    is one number of the layer, there one a sample and channel, which no sum of bits can hold; the offset θ₂ behind x_hat is left
    out, since a norm behind the layer takes it away; θ starts at 0, there within 0.001. sign(0) = +1.
    """

    source: ClassVar[str] = "arXiv 2211.06987"
    per_input_channel: ClassVar[bool] = True
    stored_per_input_channel: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.alpha = nn.Parameter(torch.ones(()))
        if self.role == "activation":
            self.theta = nn.Parameter(torch.zeros(self.shape))

    @classmethod
    def at_width(cls, bits: int) -> type[Quantizer]:
        """Return the form with two signs for 2 bits."""
        return TwoSigns if bits == 2 else cls

    def transform(self, x: Tensor) -> Tensor:
        """Return u."""
        v = x - self.theta if self.role == "activation" else x
        return slope(self.alpha) * v

    def threshold(self) -> Tensor:
        """Return θ."""
        return self.theta

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)


@dataclass(eq=False, repr=False, kw_only=True)
class TwoSigns(BiFSMNv2):
    """The inputs of w1a2: two planes of signs, as ``BiFSMNv2`` says; ``codes`` are both."""

    widths: ClassVar[tuple[int, ...]] = (2,)
    stored_per_input_channel: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role != "activation":
            raise SpecError("bifsmnv2 has weights of 1 bit. Type bifsmnv2:w1a2.")
        self.alpha_left = nn.Parameter(torch.ones(()))
        self.theta_left = nn.Parameter(torch.zeros(self.shape))

    def left(self, x: Tensor, b: Tensor) -> Tensor:
        """Return what the first sign leaves."""
        return x - b - self.theta_left

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take one calibration batch into the statistics, the mean of what is left among them."""
        super().observe(x)
        self.scale.copy_(self.left(x, codes_of(self.transform(x), -1)).abs().mean().clamp_min(SMALLEST))

    def forward(self, x: Tensor) -> Tensor:
        """Return b₁ + s·b₂."""
        self.limits()
        b = snap(self.transform(x), -1, self.slope, self.gradient)
        r = self.left(x, b)
        if self.training:
            with torch.no_grad():
                self.scale.lerp_(r.abs().mean().clamp_min(SMALLEST), MOMENTUM)
        s = self.scale.clone()  # the next forward may come before this one's backward
        return b + s * snap(slope(self.alpha_left) * r, -1, self.slope, self.gradient)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Any:
        """Return both planes of −1 and +1, int32, each of the shape of ``x``."""
        self.limits()
        b = codes_of(self.transform(x), -1)
        return b.to(torch.int32), codes_of(slope(self.alpha_left) * self.left(x, b), -1).to(torch.int32)

    @torch.no_grad()
    def dequantize(self, q: Any) -> Tensor:
        """Return b₁ + s·b₂ of the two planes."""
        first, second = (plane.to(self.scale.dtype) for plane in q)
        x_hat: Tensor = first + self.scale * second
        return x_hat

    def info(self) -> Info:
        """Return the numbers: those of the two planes, the second one's threshold on what the first one leaves."""
        first = super().info()
        one = dataclasses.replace(first, bits=1, scale=torch.ones_like(self.scale))
        two = dataclasses.replace(first, bits=1, threshold=self.theta_left.detach())
        return Info(2, first.scale, first.zero_point, -1, 1, 2, planes=(one, two))


def slope(alpha: Tensor) -> Tensor:
    """Return |α|, at least 2⁻¹⁰: a slope of another sign would turn the codes round."""
    return alpha.abs().clamp_min(SMALLEST_SLOPE)
