"""A sound's front end beside a packed network: torch's Fourier transform, native loops around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from bitproof import kernels
from bitproof.noises import noise
from bitproof.noises.sound.features import FrontEnd


def front_end(spec: str) -> Callable[[Tensor], Tensor]:
    """Return a front end for inference: float32 waves N×L → features; the noise ``spec`` itself where no native kernels run.

    It differs from the noise by float rounding, and has no gradient.
    """
    front = noise(spec)
    return NativeFront(front) if isinstance(front, FrontEnd) and kernels.can_plan() else front


class NativeFront:
    """The same frames, transform, bands and logarithm as ``front``."""

    def __init__(self, front: FrontEnd) -> None:
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
