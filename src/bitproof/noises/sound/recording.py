"""What a decoder gives, and what the later steps of a recording ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import DataError, ShapeError

#: float32, one channel, in [−1, 1].
Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """A decoded recording: float32 samples of one channel in [−1, 1], and how many there are a second."""

    wave: Wave
    rate: int


class OfSound:
    """What every noise on sound says of itself unless it says otherwise."""

    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("keyword",)
    version: ClassVar[int] = 1


def mono(samples: Any, rate: int) -> Recording:
    """Return samples N or N×channels as a recording: the mean of the channels, cut to [−1, 1].

    Raises DataError for no samples, and for values that are not finite.
    """
    wave = np.asarray(samples, np.float32)
    wave = wave.mean(axis=1, dtype=np.float32) if wave.ndim > 1 else wave
    if not len(wave):
        raise DataError("The recording is empty: it holds no sample.")
    if not np.isfinite(wave).all():
        raise DataError("The recording holds values that are not finite numbers.")
    return Recording(wave.clip(-1, 1), rate)


def check_wave(wave: Any) -> Wave:
    """Return ``wave`` if it is float32 of one dimension with at least one sample. Raises ShapeError."""
    if not isinstance(wave, np.ndarray) or wave.dtype != np.float32 or wave.ndim != 1 or not wave.size:
        found = f"{wave.dtype} {wave.shape}" if isinstance(wave, np.ndarray) else type(wave).__name__
        raise ShapeError(f"A wave is a NumPy array float32 of one dimension with at least one sample; found {found}.")
    return wave


def fitted(wave: Wave, length: int) -> Wave:
    """Return the first ``length`` samples; what is missing is silence at the end."""
    kept = wave[:length]
    return np.pad(kept, (0, length - len(kept)))
