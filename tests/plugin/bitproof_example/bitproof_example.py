"""A quantizer, a noise and an attack for bitproof, written against its doors alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bitproof.core import Attacked, ShapeError, SpecError, Victim
from bitproof.quantizers import Quantizer


@dataclass(eq=False, repr=False, kw_only=True)
class Power(Quantizer):
    """Min–max ranges whose scale is a power of two, so that a shift can do the multiplication.

    Forward: s = 2^(ceil(log2(max|x| / high)) − finer), x_hat = s·clip(round(x / s), low, high).
    Backward: dx = g inside the range, widened by half a step, else 0. Shapes: any → the same. Raises SpecError if symmetric=false.
    Source: an example. Differs from the paper: nothing, there is none.
    """

    source: ClassVar[str] = "an example"
    version: ClassVar[int] = 1
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**Quantizer.defaults, "symmetric": True}

    finer: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("scale", torch.ones(self.shape))

    def step(self) -> Tensor:
        """Return the scale."""
        return self.scale

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Round the smallest sufficient scale up to a power of two; 1 where all is zero."""
        high = 2 ** (self.bits - int(self.signed)) - 1
        s = torch.maximum(lo.abs(), hi.abs()) / high
        self.scale.copy_(torch.where(s > 0, torch.exp2(s.log2().ceil() - self.finer), 1.0))


@dataclass(frozen=True)
class Scanlines:
    """Every ``period``-th row of pixels goes dark, from a random one on, as on an old screen.

    x'[i] = x[i]·(1 − severity / 5) where i ≡ start (mod period), H×W×3 → H×W×3. Raises SpecError, ShapeError.
    Source: an example. Differs from the paper: nothing, there is none.
    """

    severity: int
    period: int = 4

    site: ClassVar[str] = "image"
    family: ClassVar[str] = "natural"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    source: ClassVar[str] = "an example"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.severity not in range(1, 6) or self.period < 2:
            raise SpecError(f"scanlines takes severity 1 to 5 and a period of 2 or more, found {self.severity} and {self.period}.")

    def __call__(self, image: Any, seed: int) -> Any:
        """Darken rows of one picture."""
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ShapeError("scanlines takes a picture: a NumPy array uint8 H×W×3.")
        dark = image.copy()
        start = np.random.default_rng(seed).integers(self.period)
        dark[start :: self.period] = (dark[start :: self.period] * (1 - self.severity / 5)).astype(np.uint8)
        return dark


@dataclass(frozen=True)
class DimLinf:
    """Darkens all pixels by eps: the weakest attack there is, and one without a gradient.

    x' = clip(x − eps) where x is classified correctly, else x, N×3×H×W → N×3×H×W. Raises SpecError, ShapeError.
    Source: an example. Differs from the paper: nothing, there is none.
    """

    eps: float

    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs_gradient: ClassVar[bool] = False
    grad: ClassVar[str] = "exact"
    source: ClassVar[str] = "an example"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 <= self.eps < math.inf:
            raise SpecError(f"eps={self.eps:g} is not possible: a finite number, 0 or more.")

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Darken a batch."""
        low, high = victim.bounds
        if x.ndim != 4 or len(x) != len(y) or len(x) != len(seeds) or bool(((x < low) | (x > high)).any()):
            raise ShapeError(f"dim-linf takes x: N×C×H×W inside [{low}, {high}], y: N and N seeds.")
        stands = victim.decide(x) == y
        x = torch.where(stands[:, None, None, None], (x - self.eps).clamp(low, high), x)
        return Attacked(x, victim.decide(x) != y, 1 + stands.long(), torch.zeros_like(y))
