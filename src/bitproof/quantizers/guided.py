"""Ranges that are chosen by what they cost the network: shares of the full range that ``convert`` tries, one a tensor or a head."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.core import BitproofError, Info, ShapeError, SpecError
from bitproof.quantizers.affine import Ranged, code_range, scale_of, widen, zero_point_of
from bitproof.quantizers.ste import fake_quantize

#: How far GELU falls below 0. Source: PTQ4ViT's released code.
GELU_LOWEST = 0.16997124254703522

#: An input is taken for GELU's where its minimum reaches no further: its tanh and sigmoid forms fall to −0.1700 and −0.1640.
_REACH = 0.1705


@dataclass(eq=False, repr=False, kw_only=True)
class Guided(Ranged):
    """Base of the methods whose share k of the full range is tried in the network, by ``convert``, and the best one kept.

    ``choices`` are tried by ``take``; calibrated, a quantizer covers the whole range, k = 1. An input that falls below 0 by no more
    than GELU does has two steps: codes q < 0 are worth q·D⁻, D⁻ = 0.17/2^(bits−1) fixed, the others q·D⁺, D⁺ searched.

    ``candidates``: shares tried, beside the first; ``rounds``: how often the two sides of a product are searched by turns.
    Raises SpecError for fewer than one of either.
    """

    candidates: int = 100
    rounds: int = 3

    below: Tensor = field(init=False)

    margin: ClassVar[float] = 0.0  # what symmetric ranges count beyond the highest code

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("candidates", "rounds"):
            if getattr(self, name) < 1:
                raise SpecError(f"{type(self).__name__} {name}={getattr(self, name)} has to be at least 1.")
        self.register_buffer("below", torch.zeros(()))
        self._full: tuple[Tensor, Tensor] | None = None
        self._two: bool | None = None

    def eliminated(self) -> float:
        """Return the share of the errors, the smallest ones, that have no weight."""
        return 0.0

    @abstractmethod
    def shares(self) -> tuple[float, float]:
        """Return the smallest and the largest share that is tried."""

    def choices(self) -> list[float]:
        """Return the shares k that are tried, both ends included."""
        low, high = self.shares()
        return [low + i * (high - low) / self.candidates for i in range(self.candidates + 1)]

    def take(self, k: Tensor) -> None:
        """Cover the share k of the full range: 0-d, or of shape ``shape``."""
        if self._full is None:
            raise BitproofError(f"This {type(self).__name__} has no full range any more: calibrate anew.")
        lo, hi = (end * k for end in self._full)
        s = self._scale(lo, hi)
        self._put(s, None if self.symmetric or self.twin else zero_point_of(lo, s, self.bits))

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Keep the full range, and cover all of it; choose between one step and two."""
        two = self._like_gelu(lo, hi)
        self.below.fill_(GELU_LOWEST / 2 ** (self.bits - 1) if two else 0.0)
        self._two = None
        if two and not self.symmetric:
            self.zero_point.fill_(2 ** (self.bits - 1))
        self._full = widen(lo, hi, self.symmetric, bool(self.signed))
        self.take(torch.ones((), device=lo.device))

    def _like_gelu(self, lo: Tensor, hi: Tensor) -> bool:
        return self.role == "activation" and lo.numel() == 1 and bool((-_REACH < lo) & (lo < 0) & (hi > _REACH))

    def _scale(self, lo: Tensor, hi: Tensor) -> Tensor:
        signed = bool(self.signed) or self.twin
        high = code_range(self.bits, signed)[1]
        return scale_of(lo, hi * (high / (high + self.margin)), self.bits, signed)

    def _put(self, s: Tensor, z: Tensor | None) -> None:
        """Write the numbers where the weight's cache sees that they changed."""
        self.scale.copy_(s)
        if z is not None:
            self.zero_point.copy_(z)
        self._numbers = None

    @property
    def twin(self) -> bool:
        """Whether negative codes have a step of their own."""
        if self._two is None:
            self._two = bool(self.below > 0)
        return self._two

    def steps(self, x: Tensor) -> Tensor:
        """Return the step of each value: D⁻ below 0 and D⁺ above, or the one that there is."""
        return torch.where(x < 0, self.below, self.scale) if self.twin else self.scale

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round, each sign with its step."""
        return fake_quantize(x, self.steps(x), lower, upper, self.gradient)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``."""
        lower, upper, z = self.limits()
        return x.div(self.steps(x)).round_().clamp_(lower, upper).to(torch.int32) + z

    @torch.no_grad()
    def dequantize(self, q: Tensor) -> Tensor:
        """Return (q − z)·s, s the step of that code."""
        code = (q - self.limits()[2]).to(self.scale.dtype)
        return code * self.steps(code)

    def info(self) -> Info:
        """Return the frozen numbers, and each code's value where there are two steps."""
        info = super().info()
        if not self.twin:
            return info
        values = self.dequantize(torch.arange(info.low, info.high + 1, device=self.scale.device))
        return Info(info.bits, info.scale, info.zero_point, info.low, info.high, values=values)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._two = None


@dataclass(eq=False, repr=False, kw_only=True)
class PerHead(Guided):
    """Base of the methods with a range for each head of an attention: heads are axis −3 of what is calibrated, …×h×n×d.

    Forward: x_hat = (clip(round(x / s + z), low, high) − z)·s, s and z of the head. Raises ShapeError where there is no such axis.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scale: (heads, 1, 1) once a batch was seen."""
        return tuple(self.scale.shape) if "scale" in self._buffers else ()

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.ndim < 3 or x.numel() == 0:
            raise ShapeError(f"…×heads×n×d with values was expected, found shape {tuple(x.shape)}.")
        rows = x.movedim(-3, 0).reshape(x.shape[-3], -1)
        return rows.amin(1).reshape(-1, 1, 1), rows.amax(1).reshape(-1, 1, 1)

    def _like_gelu(self, lo: Tensor, hi: Tensor) -> bool:
        return False

    def _put(self, s: Tensor, z: Tensor | None) -> None:
        self.scale = s
        self.zero_point = torch.zeros_like(s, dtype=torch.int32) if z is None else z

    def limits(self) -> tuple[int, int, int]:
        """Return (low, high, 0): zero points differ from head to head. Raises BitproofError before ``freeze``."""
        if not self.calibrated:
            raise BitproofError(f"This {type(self).__name__} quantizer has no range yet: calibrate first (observe, then freeze).")
        return (*self.code_range(), 0)

    def snap(self, x: Tensor, lower: int, upper: int) -> Tensor:
        """Round in units of each head's step."""
        s, z = self.scale, self.zero_point
        return (fake_quantize(x / s + z, torch.ones_like(s), lower, upper, self.gradient) - z) * s

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32, of the shape of ``x``."""
        low, high, _ = self.limits()
        return (x / self.scale + self.zero_point).round_().clamp_(low, high).to(torch.int32)

    @torch.no_grad()
    def dequantize(self, q: Tensor) -> Tensor:
        """Return (q − z)·s."""
        return (q - self.zero_point).to(self.scale.dtype) * self.scale

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        for name in ("scale", "zero_point"):  # how many heads there are is known from a batch, or from here
            if (found := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(found, device=self.signed.device))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
