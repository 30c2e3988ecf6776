"""Site ``wave``: what happens to a recording between mouth and microphone, and in the telephone. float32 N → float32 N.

Severities are bitproof's own: no benchmark fixes them for single words. Each class says its constants in physical units.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.noises.severity import Graded
from bitproof.noises.sound.recording import OfSound, Wave, check_wave, fitted

#: Signal-to-noise ratio of added noise, dB, by severity.
SNR_DB = (20.0, 15.0, 10.0, 5.0, 0.0)

#: A recording whose root mean square is below this (−80 dBFS) is silence: noise is added as if it were speech at −26 dBFS.
SILENCE_RMS, SPEECH_RMS = 1e-4, 0.05


def rms(x: NDArray[Any]) -> float:
    """Return √(mean x²)."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def at_snr(x: Wave, disturbance: Wave, snr_db: float) -> Wave:
    """Return x + a·disturbance, cut to [−1, 1], with 20·log₁₀(rms(x)/rms(a·disturbance)) = snr_db.

    A recording that is silence counts as speech of rms 0.05; a disturbance that is silence adds nothing.
    """
    own, other = rms(x), rms(disturbance)
    level = own if own > SILENCE_RMS else SPEECH_RMS
    factor = 0.0 if other == 0 else level / other * 10 ** (-snr_db / 20)
    return (x + np.float32(factor) * disturbance).clip(-1, 1).astype(np.float32)


def pink(rng: np.random.Generator, length: int) -> Wave:
    """Return noise whose power falls with 1/f: white noise divided by √f in the spectrum, without a mean."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, length).astype(np.float32)


def room(rng: np.random.Generator, rate: int, t60_s: float) -> Wave:
    """Return the response of a room to a click, its energy 1: the click, and noise that falls by 60 dB in ``t60_s``.

    h[0] = 1; h[n] = g·exp(−6.9·n/(t60·rate)) from 2 ms on, the tail's energy equal to the click's (Polack's model).
    """
    n = np.arange(max(2, round(t60_s * rate)))
    tail = rng.standard_normal(len(n)) * np.exp(-math.log(1000) * n / (t60_s * rate)) * (n >= 0.002 * rate)
    tail *= 1 / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    return np.asarray(tail / math.sqrt(2), np.float32)


@dataclass(frozen=True)
class OnWave(Graded, OfSound, ABC):
    """A noise at one severity. A subclass fills in ``changed``."""

    site: ClassVar[str] = "wave"
    family: ClassVar[str] = "natural"
    source: ClassVar[str] = "bitproof"
    #: How many other recordings of the task's data it is handed.
    others: ClassVar[int] = 0

    def __call__(self, wave: Wave, rate: int, seed: int, others: Sequence[Wave] = ()) -> Wave:
        """Return a new, disturbed wave that ``seed`` and ``others`` alone determine. Raises ShapeError for no wave."""
        rng = np.random.Generator(np.random.SFC64(seed))
        return np.array(self.changed(check_wave(wave), rate, rng, others), np.float32)

    @abstractmethod
    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Return what becomes of ``x``."""


class WhiteNoise(OnWave):
    """White noise at 20, 15, 10, 5 or 0 dB below the recording (SNR over the whole clip). Range: [−1, 1], cut.

    x + a·n, n normal; a by ``at_snr``. Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Add it."""
        return at_snr(x, rng.standard_normal(len(x), dtype=np.float32), self.of(SNR_DB))


class PinkNoise(OnWave):
    """Pink noise (power ~ 1/f, as of rooms and machines) at 20, 15, 10, 5 or 0 dB SNR. Range: [−1, 1], cut.

    Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Add it."""
        return at_snr(x, pink(rng, len(x)), self.of(SNR_DB))


class Babble(OnWave):
    """Other voices: six other recordings of the data, each begun at a drawn place, at 20, 15, 10, 5 or 0 dB SNR in all.

    Source: bitproof; made from clips as in the evaluation of keyword spotters. Differs from the paper: nothing, there is none.
    """

    others: ClassVar[int] = 6

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Mix them, each at the same loudness."""
        voices = [np.roll(v / max(rms(v), SILENCE_RMS), int(rng.integers(len(v)))) for v in others]
        mixed = np.asarray(np.sum([fitted(v.astype(np.float32), len(x)) for v in voices], axis=0), np.float32)
        return at_snr(x, mixed, self.of(SNR_DB))


class Reverberation(OnWave):
    """A room whose sound falls by 60 dB in 0.1, 0.2, 0.4, 0.7 or 1.2 s, direct sound and echoes of equal energy.

    x ∗ ``room``, the first N samples, as loud as before. Source: J.-D. Polack's statistical model. Differs from the paper: nothing.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Convolve, by FFT."""
        h = room(rng, rate, self.of((0.1, 0.2, 0.4, 0.7, 1.2)))
        n = len(x) + len(h) - 1
        y = np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(h, n), n)[: len(x)]
        return np.asarray((y * (rms(x) / max(rms(y), 1e-12))).clip(-1, 1), np.float32)


class Clipping(OnWave):
    """A microphone driven too far: the peak 6, 12, 18, 24 or 30 dB over full scale, cut at ±1, as loud as before.

    Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Gain, cut, and take the gain back."""
        peak = max(float(np.abs(x).max()), 1e-12)
        cut = (x / peak * 10 ** (self.of((6, 12, 18, 24, 30)) / 20)).clip(-1, 1)
        return np.asarray((cut * (rms(x) / max(rms(cut), 1e-12))).clip(-1, 1), np.float32)


class Gain(OnWave):
    """Quieter by 6, 12, 18, 24 or 30 dB, then rounded to 16 bits: a speaker further away. Source: bitproof.

    Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Scale and round."""
        quiet = np.rint(x * 10 ** (-self.of((6, 12, 18, 24, 30)) / 20) * 32767) / 32767
        return np.asarray(quiet, np.float32)


class TimeShift(OnWave):
    """The clip begins up to 50, 100, 150, 200 or 300 ms earlier or later, by a uniform draw; silence fills in.

    Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Move it."""
        most = round(self.of((0.05, 0.1, 0.15, 0.2, 0.3)) * rate)
        by = int(rng.integers(-most, most + 1))
        return fitted(np.pad(x, (by, 0)), len(x)) if by >= 0 else np.pad(x[-by:], (0, -by))


class Speed(OnWave):
    """Spoken faster or slower by up to 5, 10, 15, 20 or 30 %, the pitch with it, by a uniform draw; linear interpolation.

    Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Read at another pace, around the clip's middle."""
        most = self.of((0.05, 0.1, 0.15, 0.2, 0.3))
        pace = 1 + rng.uniform(-most, most)
        middle = (len(x) - 1) / 2
        places = (np.arange(len(x)) - middle) * pace + middle
        return np.asarray(np.interp(places, np.arange(len(x)), x, left=0, right=0), np.float32)


class Dropouts(OnWave):
    """Packets of 20 ms that are lost, 5, 10, 20, 30 or 40 % of them, each by itself; silence instead.

    Source: bitproof. Differs from the paper: nothing, there is none.
    """

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Drop them."""
        packet = max(1, round(0.02 * rate))
        lost = rng.random(-(-len(x) // packet)) < self.of((0.05, 0.1, 0.2, 0.3, 0.4))
        return np.where(np.repeat(lost, packet)[: len(x)], np.float32(0), x)
