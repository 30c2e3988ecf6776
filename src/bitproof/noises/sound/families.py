"""What the words for many noises stand for, of sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import graded

#: Disturbances of the wave that have five severities.
GRADED = (
    *("white_noise", "pink_noise", "babble", "reverberation", "clipping"),
    *("gain", "time_shift", "speed", "dropouts"),
)

CODECS = ("mu-law", "opus:24", "opus:12", "opus:6", "mp3:32", "mp3:16")

#: Other decoders, resamplers and front ends; ``{features}`` is the clean one.
SYSTEM = (
    "decode-ffmpeg-sound",
    *("soxr-vhq", "soxr-lq", "soxr-qq", "resample-linear"),
    *("through:48000,resampler=linear", "through:44100,resampler=nearest", "through:8000", "through:8000,resampler=linear"),
    *("{features}:mel=slaney", "{features}:window=hamming", "{features}:window=hann-symmetric", "{features}:norm=slaney"),
)

FRAMING = ("{features}:center=false",)

RUNTIME = ("fp16", "bf16")

BUGS = ("mismatch:1.0884", "mismatch:0.9188", "mismatch:2", "mismatch:0.5")


@dataclass(frozen=True)
class SoundCorruptions:
    """Nine disturbances of a wave, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 9 or 45 specs. Raises SpecError for a severity that there is not."""
        return graded(GRADED, self.severity)


@dataclass(frozen=True)
class SoundSystem:
    """The other decoders, resamplers, mel implementations and codecs that a deployment may bring."""

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs, those of the clean pipeline left out."""
        return [*_filled(SYSTEM, clean), *CODECS]


@dataclass(frozen=True)
class SoundSystemAll:
    """Everything that a deployment may bring, one axis at a time: the system family, framing, number formats, field bugs."""

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs, those of the clean pipeline left out."""
        return [*_filled((*SYSTEM, *(FRAMING if "logmel-32" in clean else ()), *RUNTIME, *BUGS), clean), *CODECS]


def _filled(specs: tuple[str, ...], clean: tuple[str, ...]) -> list[str]:
    """The specs with the clean front end in place, without the clean occupants and without any where there is no front end."""
    own = next((name for name in clean if name in ("logmel-32", "mfcc-49x10")), None)
    kept = (spec.replace("{features}", own or "") for spec in specs if own or "{features}" not in spec)
    return [spec for spec in kept if spec not in clean]


FAMILIES = {"corruptions": SoundCorruptions, "system": SoundSystem, "system-all": SoundSystemAll}
