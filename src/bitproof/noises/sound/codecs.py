"""Site ``wave``: a recording through a codec and back, as a telephone or a voice message sends it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import av
import numpy as np

from bitproof.core import SpecError
from bitproof.noises.sound.recording import OfSound, Wave, check_wave, fitted
from bitproof.noises.sound.resample import resampled

MU = 255.0


def mu_law(x: Wave) -> Wave:
    """Return x through 8-bit µ-law: sign(x)·ln(1 + 255·|x|)/ln 256 rounded to 256 levels, and back. Source: ITU-T G.711."""
    codes = np.rint((np.sign(x) * np.log1p(MU * np.abs(x)) / np.log1p(MU) + 1) * 127.5) / 127.5 - 1
    return np.asarray(np.sign(codes) * np.expm1(np.abs(codes) * np.log1p(MU)) / MU, np.float32)


@dataclass(frozen=True)
class MuLaw(OfSound):
    """The telephone of G.711: to 8,000 Hz, 8-bit µ-law, and back to the model's rate. ``narrow=false`` keeps the rate.

    Source: ITU-T G.711. Differs from the paper: the exact logarithm in place of its straight segments.
    """

    narrow: bool = True

    site: ClassVar[str] = "wave"
    source: ClassVar[str] = "ITU-T G.711"

    def __call__(self, wave: Wave, rate: int, seed: int, others: Sequence[Wave] = ()) -> Wave:
        """Return a new wave; ``seed`` changes nothing."""
        x, at = check_wave(wave), 8000 if self.narrow else rate
        return fitted(resampled(mu_law(resampled(x, rate, at, "soxr-hq")), at, rate, "soxr-hq"), len(x)).clip(-1, 1)


@dataclass(frozen=True)
class _Coded(OfSound):
    kbps: int

    site: ClassVar[str] = "wave"
    names: ClassVar[tuple[str, str]]
    rate: ClassVar[int | None] = None
    allowed: ClassVar[tuple[int, int]]

    def __post_init__(self) -> None:
        if not self.allowed[0] <= self.kbps <= self.allowed[1]:
            raise SpecError(f"kbps={self.kbps} is not possible: {self.allowed[0]} to {self.allowed[1]}.")

    def __call__(self, wave: Wave, rate: int, seed: int, others: Sequence[Wave] = ()) -> Wave:
        """Return a new wave; ``seed`` changes nothing."""
        x, at = check_wave(wave), self.rate or rate
        coded = _through(resampled(x, rate, at, "soxr-hq"), at, *self.names, 1000 * self.kbps)
        return fitted(resampled(coded, at, rate, "soxr-hq"), len(x)).clip(-1, 1)


@dataclass(frozen=True)
class Opus(_Coded):
    """Opus at ``kbps`` kbit/s (6 to 64), by FFmpeg's libopus, and back. Source: RFC 6716.

    Differs from the paper: nothing; what the encoder delays is taken off.
    """

    source: ClassVar[str] = "RFC 6716; libopus through PyAV"
    names: ClassVar[tuple[str, str]] = ("libopus", "ogg")
    rate: ClassVar[int | None] = 48_000
    allowed: ClassVar[tuple[int, int]] = (6, 64)


@dataclass(frozen=True)
class Mp3(_Coded):
    """MP3 at ``kbps`` kbit/s (8 to 64), by FFmpeg's libmp3lame, and back. Source: ISO/IEC 11172-3.

    Differs from the paper: nothing; what the encoder delays is taken off.
    """

    source: ClassVar[str] = "ISO/IEC 11172-3; libmp3lame through PyAV"
    names: ClassVar[tuple[str, str]] = ("libmp3lame", "mp3")
    allowed: ClassVar[tuple[int, int]] = (8, 64)


def _through(x: Wave, rate: int, codec: str, container: str, bits: int) -> Wave:
    """Encode and decode; the result begins where ``x`` does."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.bit_rate, stream.layout = bits, "mono"
        to_codec = av.AudioResampler(format=stream.format, rate=rate, layout="mono", frame_size=stream.frame_size or 960)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x[None]), format="fltp", layout="mono")
        frame.sample_rate = rate
        for part in (*to_codec.resample(frame), *to_codec.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as coded:
        to_float = av.AudioResampler(format="fltp", rate=rate, layout="mono")
        parts = [made.to_ndarray()[0] for frame in coded.decode(audio=0) for made in to_float.resample(frame)]
    y = np.concatenate(parts)
    return aligned(y, x)


def aligned(y: Wave, x: Wave) -> Wave:
    """Return ``y`` moved to where it agrees with ``x`` best, by up to an eighth of a second: by the peak of their correlation."""
    n = len(x) + len(y)
    likeness = np.fft.irfft(np.fft.rfft(y, n) * np.conj(np.fft.rfft(x, n)), n)
    by = int(np.argmax(likeness[: max(1, len(x) // 8)]))
    return fitted(y[by:], len(x))
