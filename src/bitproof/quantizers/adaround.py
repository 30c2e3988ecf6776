"""AdaRound: whether a weight is rounded up or down is learned, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import SpecError
from bitproof.quantizers.search import LeastSquares

#: How far the sigmoid is stretched beyond 0 and 1, so that both are reached: ζ = 1.1, γ = −0.1.
_ZETA, _GAMMA = 1.1, -0.1

#: β of the regulariser, at first and at the end, and the share of the steps before it begins.
_BETAS, _WARM = (20.0, 2.0), 0.2


def rectified(v: Tensor) -> Tensor:
    """Return h(v) = clip(σ(v)·(ζ − γ) + γ, 0, 1)."""
    return v.sigmoid().mul(_ZETA - _GAMMA).add(_GAMMA).clamp(0, 1)


def inverse_rectified(h: Tensor) -> Tensor:
    """Return v with rectified(v) = h, for 0 ≤ h < 1."""
    return -((_ZETA - _GAMMA) / (h - _GAMMA) - 1).log()


def regulariser(h: Tensor, share: float) -> Tensor:
    """Return Σ (1 − |2h − 1|^β) at ``share`` of the steps: 0 where every h is 0 or 1; nothing during the first fifth.

    β falls linearly from 20 to 2, so that at first only what is nearly decided is pushed.
    """
    if share < _WARM:
        return h.new_zeros(())
    beta = _BETAS[1] + (_BETAS[0] - _BETAS[1]) * (1 - (share - _WARM) / (1 - _WARM))
    return (1 - (2 * h - 1).abs().pow(beta)).sum()


class LearnedRounding(nn.Module):
    """A weight between two grids: ``weight()`` = s·clip(⌊w / s⌋ + h(v), low, high), v learned from where h(v) = w / s − ⌊w / s⌋."""

    def __init__(self, w: Tensor, s: Tensor, low: int, high: int, strength: float) -> None:
        super().__init__()
        self.floor, self.scale, self.bounds, self.strength = (w / s).floor(), s, (low, high), strength
        self.v = nn.Parameter(inverse_rectified(w / s - self.floor))

    def weight(self) -> Tensor:
        """Return the weight as it is now, with a gradient to v."""
        return (self.floor + rectified(self.v)).clamp(*self.bounds) * self.scale

    def penalty(self, share: float) -> Tensor:
        """Return what pushes every h to 0 or 1, at ``share`` of the steps."""
        return self.strength * regulariser(rectified(self.v), share)

    @torch.no_grad()
    def rounded(self) -> Tensor:
        """Return s·q with every h decided: rounding it to the nearest gives the same q."""
        return (self.floor + (self.v >= 0)).clamp(*self.bounds) * self.scale


@dataclass(eq=False, repr=False, kw_only=True)
class AdaRound(LeastSquares):
    """Post-training quantization whose weights are rounded up or down as the layer's output wants it.

    Forward: the range as ``mse``; x_hat = s·clip(round(x / s), low, high).
    Reconstruction, layer after layer: w_soft = s·clip(⌊w / s⌋ + h(v), low, high), h(v) = clip(1.2·σ(v) − 0.1, 0, 1); over v
    Adam minimises ‖layer(x; w) − layer(x_hat; w_soft)‖² (summed over channels, the mean over all else)
    + ``strength``·Σ (1 − |2h − 1|^β), x the input in the float network, x_hat that in the low-bit one; β falls from 20 to 2
    after a fifth of the steps. Then the layer's weight becomes s·q, which rounds to itself.
    Backward: dx = g inside the range, widened by half a step, else 0. Shapes: any → the same. Raises SpecError for steps < 1.

    ``steps``: of Adam a layer, 32 samples each, ``lr`` its rate.

    Source: arXiv 2004.10568, equations 21–25, and section 5 for the constants.
    Differs from the paper: inputs are low-bit too where the recipe says so; the activation function after the layer is left out.
    """

    source: ClassVar[str] = "arXiv 2004.10568"
    rounding: ClassVar[str] = "of weights learned up or down, of inputs half to even"
    reconstructs: ClassVar[bool] = True

    steps: int = 10000
    lr: float = 1e-3
    strength: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("steps", 1), ("lr", 0), ("strength", 0)):
            if getattr(self, name) < least:
                raise SpecError(f"AdaRound {name}={getattr(self, name):g} has to be at least {least}.")

    def rounding_of(self, w: Tensor) -> LearnedRounding:
        """Return how this weight is rounded, to be learned."""
        lower, upper, _ = self.limits()
        return LearnedRounding(w.detach(), self.step(), lower, upper, self.strength)
