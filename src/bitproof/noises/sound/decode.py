"""Site ``decode``: file bytes → Recording. Each class is one library's decoder.

Source: libsndfile and FFmpeg. Differs from the paper: nothing, there is none.
"""

from __future__ import annotations

import importlib
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bitproof.core import DataError, MissingExtra
from bitproof.noises.sound.recording import OfSound, Recording, mono


def extra(module: str, purpose: str) -> Any:
    """Import a package of the extra ``audio``. Raises MissingExtra."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(module, "audio", purpose) from None


class _Decoder(OfSound, ABC):
    site: ClassVar[str] = "decode"

    def __call__(self, data: bytes) -> Recording:
        """Decode a file; several channels become their mean. Raises DataError where it cannot be read or is empty."""
        if not data:
            raise DataError("The file is empty.")
        return mono(*self.decoded(data))

    @abstractmethod
    def decoded(self, data: bytes) -> tuple[Any, int]:
        """Return samples N or N×channels in [−1, 1], and their rate in Hz."""


@dataclass(frozen=True)
class DecodeSndfile(_Decoder):
    """Decode with libsndfile: WAV, FLAC, OGG, MP3; integers are divided by 2^(bits − 1)."""

    source: ClassVar[str] = "libsndfile, through soundfile"

    def decoded(self, data: bytes) -> tuple[Any, int]:
        """See the class."""
        soundfile = extra("soundfile", "To decode recordings, bitproof")
        try:
            samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise DataError(f"The file is no readable recording (WAV, FLAC, OGG, MP3): {error.error_string}") from None
        return samples, rate


@dataclass(frozen=True)
class DecodeFfmpegSound(_Decoder):
    """Decode with FFmpeg (PyAV), its own resampler bringing samples to float32."""

    source: ClassVar[str] = "FFmpeg, through PyAV"

    def decoded(self, data: bytes) -> tuple[Any, int]:
        """See the class."""
        import av

        try:
            with av.open(io.BytesIO(data)) as file:
                stream = file.streams.audio[0]
                to_float = av.AudioResampler(format="fltp", rate=stream.rate, layout=stream.layout)
                frames = [made for frame in file.decode(stream) for made in to_float.resample(frame)]
                parts = [frame.to_ndarray() for frame in [*frames, *to_float.resample(None)]]
                return np.concatenate(parts, axis=1).T, stream.rate
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise DataError(f"The file is no readable recording: {error}.") from None
