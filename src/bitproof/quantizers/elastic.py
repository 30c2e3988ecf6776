"""Elastic binarization: scale and threshold of an input are learned, and its codes are −1, 1 or 0, 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.quantizers.binary import ENCODER, Centred, codes_of
from bitproof.quantizers.learned import SMALLEST, positive
from bitproof.quantizers.ste import Backward, by_mode

#: GELU's lowest value: what never falls below is as good as what a ReLU leaves.
_LOWEST = -0.17


class _Elastic(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, low: int, gradient: str | Backward) -> Tensor:
        s = positive(scale)
        q = codes_of(x - _threshold(s, shift, low), low)
        ctx.save_for_backward(x, scale, shift, q)
        ctx.settings = low, gradient
        return q * s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,), (x, scale, shift, q) = grads, ctx.saved_tensors
        low, gradient = ctx.settings
        s = positive(scale)
        v = (x - shift) / s
        inside = torch.where((v >= low) & (v <= 1), g, 0.0)
        # In the other modes the step is what rounding to the codes 0 and 1 is.
        at = v if low == 0 else v / 2 + 0.5
        dx = by_mode(gradient, g, at, s.new_ones(()), 0, 1, lambda: inside)
        slope = g * q if low else g * q - inside * v
        sign = torch.where(scale < 0, -1.0, 1.0)
        return dx, sign * slope.sum() / math.sqrt(x.numel()), -inside.sum() / math.sqrt(x.numel()), None, None


def _threshold(s: Tensor, shift: Tensor, low: int) -> Tensor:
    return shift if low else shift + s / 2


@dataclass(eq=False, repr=False, kw_only=True)
class Elastic(Centred):
    """Binarization with a learned scale and threshold of every input, to {−1, 1}·s or {0, 1}·s.

    Forward, weights and word embeddings: w_hat = s·sign(w − w̄), w̄ and s = mean|w| per row. Inputs, queries, keys and values
    that fall below −0.17: x_hat = s·sign(x − t). All others, such as an attention map or what ReLU and GELU give:
    x_hat = s·clip(round((x − t)/s), 0, 1), half up. The choice is made at calibration and frozen.
    Backward, v = (x − t)/s: dw = dv − mean(dv), dv = s·g·[|w − w̄| ≤ 1]. Signed: dx = g·[|v| ≤ 1], ds = c·Σ g·sign(v).
    Unsigned: dx = g·[0 ≤ v ≤ 1], ds = c·Σ g·(round(v) − v inside, the code outside). Both: dt = −c·Σ dx, c = 1/√n of n values.
    Start: t = 0, s = 2·mean|x| of the first calibration batch. Shapes: any → the same. 1 bit.

    Source: arXiv 2205.13016, equations 4 to 7 (BiT); factor c and start as arXiv 1902.08153 at 1 bit.
    Differs from the paper: GELU's outputs count as never negative, where it trains with ReLU; no chain of teachers of falling bits.
    """

    source: ClassVar[str] = "arXiv 2205.13016"
    defaults: ClassVar[dict[str, Any]] = ENCODER

    def __post_init__(self) -> None:
        super().__post_init__()
        self._mean: Tensor | None = None
        if self.role == "activation":
            del self.scale
            self.scale = nn.Parameter(torch.ones(()))
            self.shift = nn.Parameter(torch.zeros(()))

    def collect(self, x: Tensor) -> None:
        """Keep mean|x| of the first batch."""
        if self._mean is None:
            self._mean = x.abs().mean()

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Choose the codes, and start at s = 2·mean|x|."""
        if self.role == "activation":
            self.signed.fill_(bool((lo < _LOWEST).any()))
            self._choose()
            mean = self._mean
            if mean is not None:
                self.scale.copy_(torch.where(2 * mean > SMALLEST, 2 * mean, 1.0))
        self._mean = None

    @property
    def at_zero(self) -> bool:
        """The threshold is learned, and what GELU gives has the codes 0 and 1."""
        return False

    def _choose(self) -> None:
        self.low = -1 if self.role == "weight" or bool(self.signed) else 0

    def step(self) -> Tensor:
        """Return the scale, positive."""
        return positive(self.scale) if self.role == "activation" else self.scale

    def threshold(self) -> Tensor:
        """Return t, or for codes 0 and 1 t + s/2."""
        return _threshold(self.step(), self.shift, self.low)

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, of the shape of ``x``."""
        if self.role == "weight":
            return super().forward(x)
        self.limits()
        x_hat: Tensor = _Elastic.apply(x, self.scale, self.shift, self.low, self.gradient)
        return x_hat

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``."""
        if self.role == "weight":
            return super().codes(x)
        self.limits()
        return codes_of(x - self.threshold(), self.low).to(torch.int32)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._choose()
