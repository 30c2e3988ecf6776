"""FDA: the sign's gradient from its Fourier series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.core import SpecError, seed
from bitproof.quantizers.binary import MeanScaled

#: Hidden width of the noise network: a 64th of what it takes, at least 1.
_NARROW = 64


def series(u: Tensor, order: int, omega: float) -> Tensor:
    """Return 4ω/π·Σ cos((2i + 1)·ω·u), i = 0 … order: the derivative of the square wave's Fourier series of that many terms.

    The sum is sin(2(order + 1)·ω·u) / (2·sin(ω·u)), and order + 1 at 0.
    """
    terms = order + 1
    half = omega * u
    total = torch.where(half.sin().abs() < 1e-4, float(terms), (2 * terms * half).sin() / (2 * half.sin()))
    return total * (4 * omega / math.pi)


class Adaptation(nn.Module):
    """η(v) = FC₂(relu(FC₁(v))) + 0.1·sin(v) over the last axis of ``features`` numbers, drawn from the name and that number."""

    def __init__(self, features: int) -> None:
        super().__init__()
        hidden = max(1, features // _NARROW)
        generator = torch.Generator().manual_seed(seed(0, "fda", features))
        self.squeeze = nn.Parameter(_uniform(hidden, features, generator))
        self.expand = nn.Parameter(_uniform(features, hidden, generator))

    def forward(self, v: Tensor) -> Tensor:
        """Any×features → the same."""
        return F.linear(F.linear(v, self.squeeze).relu(), self.expand) + 0.1 * v.sin()


def _uniform(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Draw as nn.Linear does: uniform within ±1/√columns."""
    return (2 * torch.rand(rows, columns, generator=generator) - 1) / math.sqrt(columns)


@dataclass(eq=False, repr=False, kw_only=True)
class FDA(MeanScaled):
    """Binarization with the gradient of a growing Fourier series.

    Forward, evaluation: w_hat = s·sign(w), s = mean|w| per output channel; x_hat = sign(x).
    Forward, training: s·(sign(w) + a·η(w)) and sign(x) + a·η(x); η (``Adaptation``) works on a filter's weights and on the channels
    of an input's position. a = 0.05·(1 + cos(π·progress)) ends at 0. ``noise=false`` leaves η out.
    Backward: dx = g·4ω/π·Σ cos((2i + 1)·ω·x), i = 0 … n, where |x| ≤ 1, else 0; n goes from ``order`` to twice that over the
    training. s is a constant; what flows through η is its true derivative.
    Shapes: any → the same, an input's channels at ``axis``. 1 bit. Raises SpecError unless order ≥ 0 and 0 < omega < 1.

    Source: arXiv 2103.00841, section 3; ω, n, a and the cut at 1 as BiBench's code.
    Differs from the paper: sign(0) = +1. Differs from BiBench: what is evaluated is binary, η stays in training; η of an input is
    trained too, and has at least one hidden number; the schedules move at each step.
    """

    source: ClassVar[str] = "arXiv 2103.00841"
    per_input_channel: ClassVar[bool] = True
    training_only: ClassVar[tuple[str, ...]] = ("adaptation",)

    omega: float = 0.1
    order: int = 9
    noise: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order < 0 or not 0 < self.omega < 1:
            found = f"order={self.order}, omega={self.omega:g}"
            raise SpecError(f"FDA needs order of at least 0 and 0 < omega < 1, found {found}. Type for example order=9,omega=0.1.")
        self.adaptation: Adaptation | None = None
        self.on_step(0.0)

    def on_step(self, progress: float) -> None:
        """Let the series grow and η fade."""
        self._order = self.order + int(self.order * progress)
        self._share = 0.05 * (1 + math.cos(math.pi * progress))

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass by the series where |u| ≤ 1."""
        return torch.where(u.abs() <= 1, g * series(u, self._order, self.omega), 0.0)

    def observe(self, x: Tensor) -> None:
        """Take a calibration batch, and make η as wide as it."""
        super().observe(x)
        if self.noise and self.adaptation is None:
            self.adaptation = Adaptation(self._laid_out(x).shape[-1]).to(x.device)

    def forward(self, x: Tensor) -> Tensor:
        """Return x_hat, in training with a share of η."""
        x_hat = super().forward(x)
        if self.adaptation is None or not self.training or not self._share:
            return x_hat
        eta = self._laid_back(self.adaptation(self._laid_out(x)), x)
        return x_hat + (self.scale if self.role == "weight" else 1) * (self._share * eta)

    def _laid_out(self, x: Tensor) -> Tensor:
        """Weights outputs×rest; inputs with the channels last."""
        return x.movedim(self.axis, 0).flatten(1) if self.role == "weight" else x.movedim(self.axis, -1)

    def _laid_back(self, eta: Tensor, x: Tensor) -> Tensor:
        if self.role == "activation":
            return eta.movedim(-1, self.axis)
        return eta.reshape(x.movedim(self.axis, 0).shape).movedim(0, self.axis)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for η: a network is built before it has seen a weight or an input."""
        stored = state.get(f"{prefix}adaptation.squeeze")
        if stored is not None and self.adaptation is None:
            self.adaptation = Adaptation(stored.shape[1]).to(stored.device)
        super()._load_from_state_dict(state, prefix, *rest)
