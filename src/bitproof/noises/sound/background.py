"""Recorded backgrounds of the user's own: a dishwasher, a street, a café."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from bitproof.core import DataError
from bitproof.noises.sound.decode import DecodeSndfile
from bitproof.noises.sound.recording import Wave
from bitproof.noises.sound.resample import resampled
from bitproof.noises.sound.waves import SNR_DB, OnWave, at_snr

Files = tuple[tuple[Path, int], ...]

ENDINGS = (".wav", ".flac", ".ogg")


@dataclass(frozen=True)
class Background(OnWave):
    """A recorded background at 20, 15, 10, 5 or 0 dB SNR: background:3,dir=DIR (Speech Commands: its _background_noise_).

    x + a·b, b as long as x, from a drawn place of a drawn recording of the folder; a by ``at_snr``. A recording shorter than x goes
    round. ``dir``: WAV, FLAC or OGG files of any rate, or one of them. Not in the family ``corruptions``, since it needs a folder.
    Range: [−1, 1], cut. Raises DataError for a folder without recordings and one that cannot be read.
    Source: Speech Commands, arXiv 1804.03209, §5 (background audio mixed in). Differs from the paper: SNRs are fixed.
    """

    dir: str

    source: ClassVar[str] = "arXiv 1804.03209"

    def changed(self, x: Wave, rate: int, rng: np.random.Generator, others: Sequence[Wave]) -> Wave:
        """Draw a recording, a place in it, and add it."""
        recordings = _read(_stamped(self.dir), rate)
        background = recordings[int(rng.integers(len(recordings)))]
        place = int(rng.integers(len(background)))
        return at_snr(x, background.take(np.arange(place, place + len(x)), mode="wrap"), self.of(SNR_DB))

    @property
    def data_digest(self) -> str:
        """The print of the recordings, by their names and contents: the numbers of a cell depend on them."""
        return _print(_stamped(self.dir))


def _stamped(place: str) -> Files:
    """The recordings and when each was written: one that was written anew is read anew."""
    try:
        return tuple((file, file.stat().st_mtime_ns) for file in _files(place))
    except OSError as error:
        raise DataError(f"The backgrounds {place!r} cannot be read: {error.strerror}.") from None


def _files(place: str) -> list[Path]:
    path = Path(os.path.expandvars(place)).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise DataError(
            f"{str(path)!r} holds no recordings to take for a background: a folder of {', '.join(ENDINGS)} files is needed."
        )
    return files


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"The background {str(file)!r} cannot be read: {error.strerror}.") from None


@lru_cache(maxsize=4)
def _print(files: Files) -> str:
    digest = hashlib.sha256()
    for file, _ in files:
        digest.update(f"{file.name} {hashlib.sha256(_content(file)).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


@lru_cache(maxsize=4)
def _read(files: Files, rate: int) -> list[Wave]:
    """The recordings at a rate."""
    waves = []
    for file, _ in files:
        try:
            recording = DecodeSndfile()(_content(file))
            waves.append(resampled(recording.wave, recording.rate, rate, "soxr-hq"))
        except DataError as error:
            raise DataError(f"The background {str(file)!r}: {error}") from None
    return waves
