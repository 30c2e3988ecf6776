"""Candidate ranges and their score, shared by the methods that search; memory stays bounded at any number of batches."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bitproof.quantizers.affine import Ranged, code_range, scale_of, widen, zero_point_of
from bitproof.quantizers.ste import snap

#: Shares of the full range that an error search tries.
RATIOS = tuple(i / 100 for i in range(100, 4, -1))

_CHUNK = 2**20  # values scored at once: a few MB, so that the passes stay in the cache


class Histogram:
    """Counts of all values seen, in equal bins over [−R, R]; R is a power of two that doubles as values grow.

    Doubling merges pairs of bins, so the counts do not depend on how the values were batched.
    """

    bins = 16384

    def __init__(self) -> None:
        self._radius = 0.0
        self._counts = torch.zeros(self.bins, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Count the values of ``x``, any shape, finite."""
        largest = float(x.abs().max())
        if largest > 0:
            self._grow(2.0 ** math.ceil(math.log2(largest)))
        radius = self._radius or 1.0
        self._counts += torch.histc(x.float(), self.bins, -radius, radius).to(self._counts)

    def _grow(self, radius: float) -> None:
        if not self._radius and self._counts.any():  # only zeros so far: any radius describes them
            self._radius = radius
        while 0 < self._radius < radius:
            quarter = self.bins // 4
            merged = self._counts.view(-1, 2).sum(1)
            self._counts = torch.nn.functional.pad(merged, (quarter, quarter))
            self._radius *= 2
        self._radius = max(self._radius, radius)

    def values(self) -> tuple[Tensor, Tensor]:
        """Return the centres of the filled bins (float32) and their counts (float64)."""
        width = 2 * (self._radius or 1.0) / self.bins
        filled = self._counts > 0
        centres = (torch.arange(self.bins, dtype=torch.float64) + 0.5) * width - (self._radius or 1.0)
        return centres[filled].float(), self._counts[filled]

    def percentile(self, q: float) -> tuple[Tensor, Tensor]:
        """Return the values below and above which lie (100 − q)/2 % of the counts each, as 0-d tensors."""
        centres, counts = self.values()
        share = counts.cumsum(0) / counts.sum()
        tail = (100 - q) / 200
        ends = torch.searchsorted(share, torch.tensor([tail, 1 - tail], dtype=share.dtype)).clamp(max=len(centres) - 1)
        return centres[ends[0]], centres[ends[1]]


def best_ratio(error: Callable[[float], Tensor]) -> Tensor:
    """Return the ratio of ``RATIOS`` with the smallest ``error(ratio)``, element by element; the wider range wins a tie."""
    errors = torch.stack([error(ratio) for ratio in RATIOS])
    return torch.tensor(RATIOS, device=errors.device)[errors.argmin(0)]


def rounding_error(rows: Tensor, s: Tensor, lower: int, upper: int) -> Tensor:
    """Return Σ (x_hat − x)² of each row: rows C×n, s C → C."""
    total = torch.zeros(len(rows), device=rows.device)
    for chunk in torch.split(rows, max(1, _CHUNK // len(rows)), dim=1):
        total += snap(chunk, s[:, None], lower, upper).sub_(chunk).square_().sum(1)
    return total


@dataclass(eq=False, repr=False, kw_only=True)
class Searched(Ranged):
    """Base of the methods that look at the values: counted in a histogram, or kept where there are channels (weights)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._histogram = Histogram()
        self._rows: list[Tensor] = []

    @abstractmethod
    def span_of_counts(self, histogram: Histogram, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the range of one tensor, 0-d, from the counts and the minimum and maximum."""

    @abstractmethod
    def span_of_rows(self, rows: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ranges of the channels, C, from their values C×n and their minima and maxima, C."""

    def error_of_counts(self, histogram: Histogram, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        """Return what gives Σ (x_hat − x)² of the counted values for a widened range (lo, hi)."""
        values, counts = (t.to(device) for t in histogram.values())
        low, high = code_range(self.bits, bool(self.signed))

        def error(lo: Tensor, hi: Tensor) -> Tensor:
            s = scale_of(lo, hi, self.bits, bool(self.signed))
            z = 0 if self.symmetric else int(zero_point_of(lo, s, self.bits))
            return (snap(values, s, low - z, high - z).sub_(values).square_() * counts).sum()

        return error

    def collect(self, x: Tensor) -> None:
        """Count the values, or keep them."""
        if self.channels is None:
            self._histogram.add(x)
        else:
            self._rows.append(x.movedim(self.axis, 0).reshape(self.channels, -1))

    def span(self, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Search, and forget the values."""
        if self.channels is None:
            low, high = self.span_of_counts(self._histogram, lo, hi)
        else:
            low, high = self.span_of_rows(torch.cat(self._rows, 1), lo.flatten(), hi.flatten())
        self._histogram, self._rows = Histogram(), []
        return low.reshape(self.shape), high.reshape(self.shape)


@dataclass(eq=False, repr=False, kw_only=True)
class LeastSquares(Searched):
    """Base of the methods that cover the share of the full range with the smallest Σ (x_hat − x)²."""

    def span_of_counts(self, histogram: Histogram, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Shrink the full range by the ratio that rounds the counted values best."""
        lo, hi = widen(lo, hi, self.symmetric, bool(self.signed))
        error = self.error_of_counts(histogram, lo.device)
        ratio = best_ratio(lambda r: error(lo * r, hi * r))
        return lo * ratio, hi * ratio

    def span_of_rows(self, rows: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
        """Shrink the full range of each channel by the ratio that rounds it best."""
        lo, hi = widen(lo, hi, True, bool(self.signed))
        low, high = code_range(self.bits, bool(self.signed))
        ratio = best_ratio(lambda r: rounding_error(rows, scale_of(lo * r, hi * r, self.bits, bool(self.signed)), low, high))
        return lo * ratio, hi * ratio
