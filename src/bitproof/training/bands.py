"""Distances between maps of channels by time, band by band of a 2-D Haar wavelet of one level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from bitproof.core import ShapeError

#: Lengths and deviations are never taken smaller.
SMALLEST = 1e-6


def bands(h: Tensor) -> tuple[Tensor, Tensor]:
    """Return the high and the low band of maps N×C×T, each of that shape; they add up to ``h``.

    The transform's low coefficients alone, inverted, are the mean of each 2×2 block in its four places; the rest is the high band.
    N×C×1×T counts as N×C×T. An odd side is filled with zeros, as the transform does. Raises ShapeError for other dimensions.
    """
    if h.ndim == 4 and h.shape[2] == 1:
        h = h[:, :, 0]
    if h.ndim != 3:
        raise ShapeError(f"Bands are those of maps N×channels×time; found {tuple(h.shape)}.")
    rows, columns = h.shape[1:]
    even = functional.pad(h, (0, columns % 2, 0, rows % 2))
    means = functional.avg_pool2d(even[:, None], 2)
    low = means.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[:, 0, :rows, :columns]
    return h - low, low


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Return mean_n ‖ A²/‖A²‖ − B²/‖B²‖ ‖₂ of maps N×…, squares taken value by value, norms over a sample. A scalar."""
    a, b = (functional.normalize(x.flatten(1).square(), dim=1, eps=SMALLEST) for x in (a, b))
    # The gradient of a length at 0 is not defined; a little more than 0 has one.
    return ((a - b).square().sum(dim=1) + SMALLEST**2).sqrt().mean()


def unit(h: Tensor) -> Tensor:
    """Return each sample of N×… divided by its deviation."""
    return h / h.flatten(1).std(dim=1).clamp_min(SMALLEST).view(-1, *[1] * (h.ndim - 1))


def emphasized(h: Tensor) -> Tensor:
    """Return H_high/std(H_high) + H/std(H): a map with its high frequencies stressed."""
    high, low = bands(h)
    return unit(high) + unit(high + low)


def _summed(distance: Callable[[Tensor, Tensor], Tensor], student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([distance(s, t) for s, t in zip(student.values(), teacher.values(), strict=True)]).sum()


@dataclass(frozen=True)
class HED:
    """High-frequency enhancement distillation: hed[:weight=0.01,at=PATTERN].

    Formula: Σ_k apart(S_k, emphasized(T_k)) over the blocks k that ran in the student. Shapes: maps N×channels×time.
    Source: arXiv 2202.06483, released code.
    Differs from the paper: norms and deviations are a sample's, there the whole batch's; the teacher is in evaluation mode.
    """

    weight: float = 0.01
    at: str = r"blocks\.\d+$"

    source: ClassVar[str] = "arXiv 2202.06483"
    version: ClassVar[int] = 1

    def __call__(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return the distance."""
        return _summed(lambda s, t: apart(s, emphasized(t)), student, teacher)


@dataclass(frozen=True)
class FID:
    """Frequency-independent distillation: fid[:weight=0.01,at=PATTERN].

    Formula: Σ_k apart(high(S_k), high(T_k)) + apart(low(S_k), low(T_k)). Shapes: maps N×channels×time. The logits are distilled by
    training.distill. Source: arXiv 2211.06987, released code.
    Differs from the paper: norms are a sample's, there the whole batch's; the logits' distance is a divergence, there squared; the
    teacher is in evaluation mode.
    """

    weight: float = 0.01
    at: str = r"blocks\.\d+$"

    source: ClassVar[str] = "arXiv 2211.06987"
    version: ClassVar[int] = 1

    def __call__(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return the distance."""

        def both(s: Tensor, t: Tensor) -> Tensor:
            return sum((apart(a, b) for a, b in zip(bands(s), bands(t), strict=True)), s.new_zeros(()))

        return _summed(both, student, teacher)
