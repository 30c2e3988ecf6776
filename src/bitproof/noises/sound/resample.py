"""Site ``resample``: a recording → float32 of the model's length, at the model's rate.

``soxr-*`` and ``resample-linear`` only change the rate, and leave a recording that has the model's as it is. ``through`` and
``mismatch`` say what happened to it before.

Source: libsoxr, NumPy. Differs from the paper: nothing, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitproof.core import Clip, SpecError
from bitproof.noises.sound.decode import extra
from bitproof.noises.sound.recording import OfSound, Recording, Wave, check_wave, fitted

#: soxr's own names of its qualities, by ours.
QUALITIES = {"soxr-vhq": "VHQ", "soxr-hq": "HQ", "soxr-mq": "MQ", "soxr-lq": "LQ", "soxr-qq": "QQ"}

#: Names of all resamplers.
RESAMPLERS = (*QUALITIES, "linear", "nearest")


def resampled(wave: Wave, rate: float, wanted: float, by: str) -> Wave:
    """Return ``wave`` at ``wanted`` Hz instead of ``rate``; ``by`` is one of ``RESAMPLERS``.

    linear: y[i] = x between its neighbours at i·rate/wanted, without a filter, so what lies above half of ``wanted`` folds back.
    nearest: the sample that lies nearest to that place.
    """
    if rate == wanted:
        return wave
    if by in QUALITIES:
        return np.asarray(extra("soxr", "To resample recordings, bitproof").resample(wave, rate, wanted, quality=QUALITIES[by]))
    places = np.arange(max(1, round(len(wave) * wanted / rate))) * (rate / wanted)
    if by == "nearest":
        return np.asarray(wave[np.minimum(np.rint(places).astype(np.int64), len(wave) - 1)])
    return np.asarray(np.interp(places, np.arange(len(wave)), wave), np.float32)


class _Resampler(OfSound):
    site: ClassVar[str] = "resample"
    name: ClassVar[str]

    def __call__(self, recording: Recording, clip: Clip) -> Wave:
        """Return ``clip.length`` float32 samples at ``clip.rate``, a new array."""
        wave = check_wave(recording.wave)
        return fitted(resampled(self.before(wave, recording.rate), recording.rate, clip.rate, self.name), clip.length)

    def before(self, wave: Wave, rate: int) -> Wave:
        """What happened to a recording that is told to be at ``rate``: here nothing."""
        return wave

    def changes(self, recording: Recording, clip: Clip) -> bool:
        """Whether it does anything to a recording of this rate."""
        return recording.rate != clip.rate


@dataclass(frozen=True)
class SoxrVhq(_Resampler):
    """The SoX resampler at its very high quality: a linear-phase filter, 28 bits."""

    name: ClassVar[str] = "soxr-vhq"
    source: ClassVar[str] = "libsoxr"


@dataclass(frozen=True)
class SoxrHq(_Resampler):
    """The SoX resampler at its high quality: a linear-phase filter, 20 bits."""

    name: ClassVar[str] = "soxr-hq"
    source: ClassVar[str] = "libsoxr"


@dataclass(frozen=True)
class SoxrLq(_Resampler):
    """The SoX resampler at its low quality: a short filter, 16 bits."""

    name: ClassVar[str] = "soxr-lq"
    source: ClassVar[str] = "libsoxr"


@dataclass(frozen=True)
class SoxrQq(_Resampler):
    """The SoX resampler's quick quality: cubic interpolation, no filter."""

    name: ClassVar[str] = "soxr-qq"
    source: ClassVar[str] = "libsoxr"


@dataclass(frozen=True)
class Linear(_Resampler):
    """Linear interpolation between samples, no filter."""

    name: ClassVar[str] = "linear"
    source: ClassVar[str] = "numpy.interp"


@dataclass(frozen=True)
class Through(_Resampler):
    """Taken at another rate: to ``rate`` Hz and on to the model's, both by one ``resampler``.

    Args: rate in Hz, 1,000 to 192,000; resampler: soxr-vhq, soxr-hq, soxr-mq, soxr-lq, soxr-qq, linear or nearest.
    Below twice a word's highest frequency it loses that; a resampler without a filter folds it back. Raises SpecError.
    Source: bitproof; telephones take 8,000 Hz. Differs from the paper: nothing, there is none.
    """

    rate: int
    resampler: str = "soxr-hq"

    source: ClassVar[str] = "bitproof"

    def __post_init__(self) -> None:
        if not 1_000 <= self.rate <= 192_000 or self.resampler not in RESAMPLERS:
            raise SpecError(
                f"through:{self.rate},resampler={self.resampler} is not possible: rate is 1000 to 192000 Hz, "
                f"resampler one of {', '.join(RESAMPLERS)}."
            )

    def __call__(self, recording: Recording, clip: Clip) -> Wave:
        """Return ``clip.length`` float32 samples at ``clip.rate``, a new array."""
        low = resampled(check_wave(recording.wave), recording.rate, self.rate, self.resampler)
        return fitted(resampled(low, self.rate, clip.rate, self.resampler), clip.length)

    def changes(self, recording: Recording, clip: Clip) -> bool:
        """Whether the rate is another one."""
        return self.rate != clip.rate


@dataclass(frozen=True)
class Mismatch(_Resampler):
    """A recording whose rate is told wrong: a word sounds higher and shorter, or lower and longer.

    What was taken at ``rate``·factor is read as if at ``rate``; then soxr-hq. Args: factor, 0.25 to 4; above 1 is slower and lower
    (44,100 for 48,000 Hz is 0.91875). Raises SpecError. Source: bitproof. Differs from the paper: nothing, there is none.
    """

    factor: float

    family: ClassVar[str] = "field"
    source: ClassVar[str] = "bitproof"
    name: ClassVar[str] = "soxr-hq"

    def __post_init__(self) -> None:
        if not 0.25 <= self.factor <= 4:
            raise SpecError(f"mismatch:{self.factor} is not possible: factor is 0.25 to 4.")

    def before(self, wave: Wave, rate: int) -> Wave:
        """Return the samples that a device of another rate would have taken."""
        return resampled(wave, rate, rate * self.factor, "soxr-hq")

    def changes(self, recording: Recording, clip: Clip) -> bool:
        """Whether the factor is another one than 1."""
        return self.factor != 1
