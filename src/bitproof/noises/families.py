"""Words that stand for many noises. A family's fields are the settings of its spec, as ``bitproof.core.bind`` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from bitproof.core import SpecError

#: The test corruptions of ImageNet-C (1903.12261), in the order of its paper.
BENCHMARK = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)

#: The validation corruptions of ImageNet-C.
EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")

#: Corruptions chosen to be unlike the benchmark's, from ImageNet-C̄ (2102.11273).
BAR = (
    "single_frequency_greyscale",
    "cocentric_sine_waves",
    "plasma_noise",
    "blue_noise_sample",
    "brownish_noise",
    "checkerboard_cutout",
    "sparkles",
    "inverse_sparkles",
)

#: The decoders and resizes of RobustMQ's system noise; the clean two of a task are left out of its cells.
SYSTEM = (
    *("decode-pil", "decode-cv", "decode-ffmpeg"),
    *("pil-nearest", "pil-box", "pil-bilinear", "pil-hamming", "pil-cubic", "pil-lanczos"),
    *("cv-nearest", "cv-bilinear", "cv-area", "cv-cubic", "cv-lanczos"),
)

#: How ImageNet-C's pictures were made and stored (make_imagenet_c.py of hendrycks/robustness@8190fe3).
IMAGENET_C = "constants=imagenet,stored=true"


class Family(Protocol):
    """A word and its settings."""

    source: ClassVar[str]

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs that the word stands for; ``clean`` names the occupants of the clean pipeline."""


@runtime_checkable
class Sized(Protocol):
    """A family whose members depend on the size of the model's input."""

    def at(self, side: int) -> Family:
        """Return the family for an input of ``side`` × ``side`` px."""


def _graded(names: tuple[str, ...], severity: int | None) -> list[str]:
    if severity not in (None, 1, 2, 3, 4, 5):
        raise SpecError(f"Severity {severity} is out of range: 1, 2, 3, 4 or 5; without one, all five.")
    return [f"{name}:{s}" for name in names for s in ([severity] if severity else range(1, 6))]


def _with(specs: list[str], protocol: str | None, family: str) -> list[str]:
    """Add what a published protocol fixes to each spec."""
    if protocol not in (None, "imagenet-c"):
        raise SpecError(
            f"Unknown protocol {protocol!r} of {family!r}. Allowed: 'imagenet-c'; without one, constants by the picture's size and "
            "no storage step."
        )
    return [f"{spec},{IMAGENET_C}" for spec in specs] if protocol else specs


@dataclass(frozen=True)
class Corruptions:
    """The 15 test corruptions of ImageNet-C, at one severity or at all five.

    ``protocol=imagenet-c`` fixes its constants for 224 px and its storage, truncated and saved as JPEG of quality 85. The picture's
    size is the model's own, which is ImageNet-C's only at 224 px.
    """

    severity: int | None = None
    protocol: str | None = None

    source: ClassVar[str] = "arXiv 1903.12261; hendrycks/robustness@8190fe3"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 15 or 75 specs."""
        return _with(_graded(BENCHMARK, self.severity), self.protocol, "corruptions")


@dataclass(frozen=True)
class CorruptionsExtra:
    """The 4 validation corruptions of ImageNet-C, at one severity or at all five.

    ``protocol`` as for ``corruptions``.
    """

    severity: int | None = None
    protocol: str | None = None

    source: ClassVar[str] = "arXiv 1903.12261; hendrycks/robustness@8190fe3"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 4 or 20 specs."""
        return _with(_graded(EXTRA, self.severity), self.protocol, "corruptions-extra")


@dataclass(frozen=True)
class CorruptionsBar:
    """Eight corruptions of ImageNet-C̄ that are unlike the benchmark's, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "arXiv 2102.11273"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 8 or 40 specs."""
        return _graded(BAR, self.severity)


@dataclass(frozen=True)
class System:
    """The other decoders and resizes that a deployment may bring."""

    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350)"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the 14 of them without those of the clean pipeline."""
        return [name for name in SYSTEM if name not in clean]


FAMILIES: dict[str, type[Family]] = {
    "corruptions": Corruptions,
    "corruptions-extra": CorruptionsExtra,
    "corruptions-bar": CorruptionsBar,
    "system": System,
}
