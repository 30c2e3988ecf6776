"""A sound's front end beside a packed network: torch's Fourier transform, native loops around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from bitproof import kernels
from bitproof.noises import noise


@runtime_checkable
class Spectral(Protocol):
    """A front end that is made of frames, bands of their power spectrum, and what follows."""

    n_fft: int
    hop: int
    center: bool

    def check(self, x: Tensor) -> None:
        """Raise ShapeError for waves that it does not take."""

    def weights(self) -> Tensor:
        """Return what a frame is multiplied by."""

    def filters(self) -> Tensor:
        """Return the filters, bins×bands."""

    def of_power(self, powers: Tensor) -> Tensor:
        """Return the features of powers N×frames×bands."""


def front_end(spec: str) -> Callable[[Tensor], Tensor]:
    """Return a front end for inference: float32 waves N×L → features; the noise ``spec`` itself where no native kernels run.

    It differs from the noise by float rounding, and has no gradient.
    """
    front = noise(spec)
    found: Callable[[Tensor], Tensor] = NativeFront(front) if isinstance(front, Spectral) and kernels.can_plan() else front
    return found


class NativeFront:
    """The same frames, transform, bands and logarithm as ``front``."""

    def __init__(self, front: Spectral) -> None:
        self.front = front

    @cached_property
    def _constants(self) -> tuple[kernels.BandFilters, kernels.Floats]:
        return kernels.band_filters(self.front.filters().numpy()), self.front.weights().float().numpy()

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features of waves N×L. Raises ShapeError for waves of another length."""
        front = self.front
        front.check(x)
        filters, window = self._constants
        framed = kernels.frames(x.numpy(), window, front.hop, edge=front.n_fft // 2 if front.center else 0)
        spectra = torch.fft.rfft(torch.from_numpy(framed), n=front.n_fft)
        powers = kernels.bands(spectra.numpy(), filters)
        return front.of_power(torch.from_numpy(powers).transpose(1, 2))
