"""Site ``features``: a batch of waves → what a network takes. Differentiable, so an attack on the wave goes through it.

Each front end is one batched real FFT over all frames of all clips, a product with the mel filters, and a logarithm.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.core import ShapeError, SpecError
from bitproof.noises.sound.recording import OfSound

SCALES, WINDOWS, NORMS = ("htk", "slaney"), ("hann", "hamming", "hann-symmetric"), ("none", "slaney")


def hz_to_mel(hz: Tensor, scale: str) -> Tensor:
    """Return mels. htk: 2595·log₁₀(1 + f/700). slaney: f/(200/3) below 1 kHz, then 15 + 27·ln(f/1000)/ln 6.4."""
    if scale == "htk":
        return 2595 * torch.log10(1 + hz / 700)
    return torch.where(hz < 1000, hz * 3 / 200, 15 + 27 * (hz.clamp_min(1000) / 1000).log() / math.log(6.4))


def mel_to_hz(mel: Tensor, scale: str) -> Tensor:
    """Return Hz, the inverse of ``hz_to_mel``."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))


def mel_filters(rate: int, n_fft: int, mels: int, low_hz: float, high_hz: float, scale: str, norm: str) -> Tensor:
    """Return triangular filters, float64 (n_fft/2 + 1)×mels: each rises from the last one's centre and falls to the next one's.

    norm ``slaney`` gives each the area 1 (Hz). Source: HTK Book §5.4; Slaney, Auditory Toolbox (1998).
    """
    ends = hz_to_mel(torch.tensor([low_hz, high_hz], dtype=torch.float64), scale)
    places = torch.linspace(float(ends[0]), float(ends[1]), mels + 2, dtype=torch.float64)
    centres = mel_to_hz(places, scale)
    bins = torch.linspace(0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
    widths = centres.diff()
    rise, fall = (bins - centres[:-2]) / widths[:-1], (centres[2:] - bins) / widths[1:]
    filters = torch.minimum(rise, fall).clamp_min(0)
    return filters * (2 / (centres[2:] - centres[:-2])) if norm == "slaney" else filters


def window(name: str, length: int) -> Tensor:
    """Return a window, float64: hann and hamming for a spectrum (periodic), hann-symmetric for a filter."""
    if name == "hamming":
        return torch.hamming_window(length, dtype=torch.float64)
    return torch.hann_window(length, periodic=name == "hann", dtype=torch.float64)


class FrontEnd(OfSound, ABC):
    """Frames → power spectrum → mel → logarithm: what front ends share. float N×L in [−1, 1] → float N×1×rows×columns."""

    mel: str
    window: str
    center: bool
    norm: str

    site: ClassVar[str] = "features"
    rate: ClassVar[int] = 16_000
    length: ClassVar[int] = 16_000
    n_fft: ClassVar[int]
    frame: ClassVar[int]
    hop: ClassVar[int]
    mels: ClassVar[int]
    band_hz: ClassVar[tuple[float, float]]
    shape: ClassVar[tuple[int, int, int]]

    def __post_init__(self) -> None:
        for word, value, allowed in (("mel", self.mel, SCALES), ("window", self.window, WINDOWS), ("norm", self.norm, NORMS)):
            if value not in allowed:
                raise SpecError(f"{word}={value!r} is unknown: {', '.join(allowed)}.")

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features of waves N×L."""
        return self.of_power(self.power(x))

    def check(self, x: Tensor) -> None:
        """Raise ShapeError for waves of another length."""
        if x.ndim != 2 or x.shape[1] != self.length:
            raise ShapeError(f"A front end takes waves N×{self.length}; found {tuple(x.shape)}.")

    def power(self, x: Tensor) -> Tensor:
        """N×L → mel powers N×frames×mels. Raises ShapeError for waves of another length."""
        self.check(x)
        if self.center:
            half = self.n_fft // 2
            x = torch.cat([x[:, 1 : half + 1].flip(1), x, x[:, -half - 1 : -1].flip(1)], dim=1)
        weights, halves = _constants(self, x.dtype, x.device)
        spectrum = torch.fft.rfft(x.unfold(1, self.frame, self.hop) * weights, n=self.n_fft)
        # Real and imaginary parts lie side by side: they are squared as one array, and each filter takes both. Low bands and high
        # ones look at few bins in common, so two products of half the bins are less work than one of all.
        parts = torch.view_as_real(spectrum).flatten(2)
        power = parts * parts
        return torch.cat([power[..., start:stop] @ filters for start, stop, filters in halves], dim=2)

    def weights(self) -> Tensor:
        """Return the window as frames are multiplied by it, float64."""
        return window(self.window, self.frame)

    def filters(self) -> Tensor:
        """Return the mel filters, float64 bins×mels."""
        return mel_filters(self.rate, self.n_fft, self.mels, *self.band_hz, self.mel, self.norm)

    @abstractmethod
    def of_power(self, powers: Tensor) -> Tensor:
        """Return the features of mel powers N×frames×mels."""


@lru_cache(maxsize=16)
def _constants(front: FrontEnd, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, tuple[tuple[int, int, Tensor], ...]]:
    """The window of a frame, and the lower and upper half of the mel filters as (first row, last row, rows), each bin twice.

    They are kept, so never made in inference mode, where no gradient could use them.
    """
    with torch.inference_mode(False):
        weights = front.weights().to(device, dtype)
        halves = front.filters().repeat_interleave(2, dim=0).to(device, dtype).tensor_split(2, dim=1)
        return weights, tuple(map(_seen, halves))


def _seen(filters: Tensor) -> tuple[int, int, Tensor]:
    """The rows of ``filters`` from the first to the last that holds anything."""
    rows = filters.any(dim=1).nonzero().flatten()
    start, stop = int(rows[0]), int(rows[-1]) + 1
    return start, stop, filters[start:stop].contiguous()


@dataclass(frozen=True)
class LogMel32(FrontEnd):
    """Log-mel spectrogram 32×32 of a second at 16 kHz: bands × frames, in dB.

    x[b, t] = 10·log₁₀(max(Σ_f filter[f, b]·|STFT(f, t)|²/Σ window², 1e-10)), window 2048, hop 512, 0 to 8 kHz.
    Args: mel: htk or slaney scale; window: hann, hamming or hann-symmetric; center: frames around their time, the ends mirrored
    (four frames fewer without, filled with silence); norm: none, or slaney for filters of equal area.
    Shapes: N×16000 → N×1×32×32. Raises SpecError, ShapeError.
    Source: BiFSMN and BiBench, their released code (torchaudio's MelSpectrogram, normalised). Differs from the paper: nothing.
    """

    mel: str = "htk"
    window: str = "hann"
    center: bool = True
    norm: str = "none"

    source: ClassVar[str] = "arXiv 2202.06483, released code"
    n_fft: ClassVar[int] = 2048
    frame: ClassVar[int] = 2048
    hop: ClassVar[int] = 512
    mels: ClassVar[int] = 32
    band_hz: ClassVar[tuple[float, float]] = (0.0, 8000.0)
    shape: ClassVar[tuple[int, int, int]] = (1, 32, 32)

    def weights(self) -> Tensor:
        """Divide by the window's length in ℓ2, which the power spectrum is normalised by."""
        weights = super().weights()
        return weights / weights.square().sum().sqrt()

    def of_power(self, powers: Tensor) -> Tensor:
        """N×frames×32 → N×1×32×32."""
        decibels = 10 * powers.clamp_min(1e-10).log10()
        missing = self.shape[2] - decibels.shape[1]
        decibels = torch.nn.functional.pad(decibels, (0, 0, 0, missing), value=-100.0) if missing else decibels
        return decibels.transpose(1, 2)[:, None].contiguous()


@dataclass(frozen=True)
class Mfcc49x10(FrontEnd):
    """10 mel cepstral coefficients of 49 frames of a second at 16 kHz: frames × coefficients.

    c[t, k] = √(2/40)·Σ_b log(max(mel power, 1e-6))·cos(π k (b + ½)/40) (k = 0: /√2), frames of 40 ms every 20 ms, 40 bands of 20 to
    4,000 Hz. Args: as for logmel-32; center is false, frames lie inside the second. Shapes: N×16000 → N×1×49×10.
    Raises SpecError, ShapeError.
    Source: arXiv 1711.07128, §4. Differs from the paper: constants that it leaves open are those of its released code's defaults.
    """

    mel: str = "htk"
    window: str = "hann"
    center: bool = False
    norm: str = "none"

    source: ClassVar[str] = "arXiv 1711.07128"
    n_fft: ClassVar[int] = 1024
    frame: ClassVar[int] = 640
    hop: ClassVar[int] = 320
    mels: ClassVar[int] = 40
    band_hz: ClassVar[tuple[float, float]] = (20.0, 4000.0)
    shape: ClassVar[tuple[int, int, int]] = (1, 49, 10)

    def of_power(self, powers: Tensor) -> Tensor:
        """N×frames×40 → N×1×49×10."""
        logs = powers[:, : self.shape[1]].clamp_min(1e-6).log()
        return (logs @ _cosines(self.mels, self.shape[2]).to(logs))[:, None]


@lru_cache(maxsize=2)
def _cosines(bands: int, kept: int) -> Tensor:
    """The first ``kept`` columns of the orthonormal DCT-II, bands×kept, float64."""
    with torch.inference_mode(False):
        b, k = torch.arange(bands, dtype=torch.float64)[:, None], torch.arange(kept, dtype=torch.float64)
        table = math.sqrt(2 / bands) * torch.cos(math.pi * k * (b + 0.5) / bands)
        table[:, 0] /= math.sqrt(2)
        return table
