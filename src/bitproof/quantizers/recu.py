"""ReCU: weights that are far out are brought back, so that their signs can change again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.core import SpecError
from bitproof.quantizers.binary import LearnedScale, rows_of, tent

_EPSILON = 1e-5


def standardised(w: Tensor, dims: list[int]) -> Tensor:
    """Return 2√2·(w − mean) / √(var + 1e-5) over ``dims``: a Laplace distribution's scale becomes near 2."""
    centred = w - w.mean(dims, keepdim=True)
    return centred * (2 * math.sqrt(2)) / deviation(centred, dims)


def deviation(x: Tensor, dims: list[int]) -> Tensor:
    """Return √(var + 1e-5) over ``dims``, the variance with n − 1, or 0 of a single value."""
    alone = math.prod(x.shape[d] for d in dims) == 1
    return (x.var(dims, keepdim=True, correction=0 if alone else 1) + _EPSILON).sqrt()


def quantile(mean_abs: Tensor, tau: float) -> Tensor:
    """Return the τ-quantile −b·ln(2 − 2τ) of a Laplace distribution around 0 with b = E|w|, ½ < τ < 1."""
    return mean_abs * -math.log(2 - 2 * tau)


def tau_at(progress: float, first: float, last: float) -> float:
    """Return A·exp(progress) + B: ``first`` at 0, ``last`` at 1."""
    rise = (last - first) / (math.e - 1)
    return rise * math.exp(progress) + first - rise


@dataclass(eq=False, repr=False, kw_only=True)
class ReCU(LearnedScale):
    """Binarization with a rectified clamp of the weights.

    Forward, weights: w_hat = |α|·sign(w − mean), α learned per output channel, the mean of the channel.
    Backward, weights: with w₁ = 2√2·(w − mean)/std and Q = −E|w₁|·ln(2 − 2τ), E over the layer: dw₁ = |α|·g where |w₁| ≤ Q, else 0;
    from w₁ to w as it is. α has its true derivative.
    Forward, inputs: x_hat = sign(x). Backward: dx = g·max(0, 2 − 2·|u|), u = x in evaluation, x divided by its sample's standard
    deviation in training, which has its derivative too.
    τ goes from ``first_tau`` to ``last_tau`` over the training, as A·exp(progress) + B. Start: α = mean|w − mean|.
    Shapes: any → the same; the first axis of an input is the sample's. 1 bit. Raises SpecError unless ½ < first ≤ last < 1.

    Source: arXiv 2103.12369, section 3; τ and the inputs' gradient as its authors' code and BiBench's.
    Differs from the paper: |α| of at least 2⁻²⁴ is used; sign(0) = +1. Differs from BiBench: α does not start at random numbers.
    """

    source: ClassVar[str] = "arXiv 2103.12369"

    first_tau: float = 0.85
    last_tau: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.5 < self.first_tau <= self.last_tau < 1:
            found = f"first_tau={self.first_tau:g}, last_tau={self.last_tau:g}"
            raise SpecError(f"ReCU needs 0.5 < first_tau ≤ last_tau < 1, found {found}. Type for example first_tau=0.85.")
        self._tau = self.first_tau

    def on_step(self, progress: float) -> None:
        """Let τ follow the training."""
        self._tau = tau_at(progress, self.first_tau, self.last_tau)

    def transform(self, x: Tensor) -> Tensor:
        """Standardise weights, and inputs while they are trained with."""
        if self.role == "weight":
            return standardised(x, rows_of(x, self.channels, self.axis))
        return x / deviation(x, list(range(1, x.ndim))) if self.training else x

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass weights inside ±Q, inputs by the tent."""
        if self.role == "activation":
            return tent(g, u)
        return torch.where(u.abs() <= quantile(u.abs().mean(), self._tau), g, 0.0)

    def start(self, w: Tensor) -> None:
        """Start at the mean distance from the channel's mean."""
        super().start(w - w.mean(rows_of(w, self.channels, self.axis), keepdim=True))
