"""Words that stand for many noises. A family's fields are the settings of its spec, as ``bitproof.core.bind`` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from bitproof.core import Spec, SpecError, graded

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

#: RobustMQ's decoders, bitproof's further ones, and RobustMQ's resizes; RobustMQ's 14 are the first and the last.
DECODERS = ("decode-pil", "decode-cv", "decode-ffmpeg")
FAST_DECODERS = ("decode-fastdct", "decode-fastup", "decode-fast")
RESIZES = (
    *("pil-nearest", "pil-box", "pil-bilinear", "pil-hamming", "pil-cubic", "pil-lanczos"),
    *("cv-nearest", "cv-bilinear", "cv-area", "cv-cubic", "cv-lanczos"),
)

#: The other axes of a deployment: what a library's resize is switched to, colour round trips, operators, number formats, bugs.
ANTIALIAS = tuple(f"torch-{kernel}{switch}" for kernel in ("bilinear", "cubic") for switch in ("", ":antialias=false"))
COLORS = tuple(
    f"yuv-{chroma}:matrix={matrix},range={span},arithmetic={arithmetic}"
    for chroma in ("444", "420")
    for matrix in ("bt601", "bt709")
    for span in ("limited", "full")
    for arithmetic in ("integer", "float")
)
UPSAMPLING = ("upsample:mode=nearest", "upsample:mode=bilinear", "upsample:mode=bilinear,align_corners=true")
RUNTIME = ("ceil-mode", *UPSAMPLING, "fp16", "bf16")
BUGS = ("bgr", "norm:like=half", "norm:like=none", "norm:like=imagenet", "range-255", "range-1")

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


def _with(specs: list[str], protocol: str | None, family: str) -> list[str]:
    """Add what a published protocol fixes to each spec."""
    if protocol not in (None, "imagenet-c"):
        raise SpecError(
            f"Unknown protocol {protocol!r} of {family!r}. Allowed: 'imagenet-c'; without one, constants by the picture's size and "
            "no storage step."
        )
    return [f"{spec},{IMAGENET_C}" for spec in specs] if protocol else specs


def _replaced(text: str, key: str, value: str) -> str:
    """Return the spec ``text`` with one setting replaced."""
    spec = Spec.parse(text)
    return str(Spec(spec.name, (*(item for item in spec.items if item[0] != key), (key, value))))


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
        return _with(graded(BENCHMARK, self.severity), self.protocol, "corruptions")


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
        return _with(graded(EXTRA, self.severity), self.protocol, "corruptions-extra")


@dataclass(frozen=True)
class CorruptionsBar:
    """Eight corruptions of ImageNet-C̄ that are unlike the benchmark's, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "arXiv 2102.11273"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 8 or 40 specs."""
        return graded(BAR, self.severity)


@dataclass(frozen=True)
class System:
    """The other decoders and resizes that a deployment may bring."""

    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350)"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the 14 of them without those of the clean pipeline."""
        return [name for name in (*DECODERS, *RESIZES) if name not in clean]


@dataclass(frozen=True)
class SystemGrid:
    """Every decoder with every resize: 6 × 11 without the clean pair."""

    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350); the decoders of libjpeg-turbo's fast paths"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the pairs, joined by ``+``; where one of a pair is the clean one, the other alone."""
        pairs = [[part for part in (d, r) if part not in clean] for d in (*DECODERS, *FAST_DECODERS) for r in RESIZES]
        return list(dict.fromkeys("+".join(pair) for pair in pairs if pair))


@dataclass(frozen=True)
class SystemAll:
    """Everything that a deployment may bring, one axis at a time; a run leaves out what means nothing for a network.

    Decoders, resizes, antialias, geometry, offset of the clean resize, colour round trips, operators, number formats, field bugs.
    """

    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350); SysNoise (MLSys 2023)"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs; geometry and offset are those of the resize in ``clean``."""
        own = [name for name in clean if not name.startswith("decode-")]
        geometry = [_replaced(name, "mode", mode) for name in own for mode in ("shorter", "square")]
        offset = [_replaced(name, "offset", px) for name in own if name.startswith("pil-") for px in ("0.5", "-0.5")]
        names = (*DECODERS, *FAST_DECODERS, *RESIZES, *ANTIALIAS, *geometry, *offset, *COLORS, *RUNTIME, *BUGS)
        return [name for name in names if name not in clean]


FAMILIES: dict[str, type[Family]] = {
    "corruptions": Corruptions,
    "corruptions-extra": CorruptionsExtra,
    "corruptions-bar": CorruptionsBar,
    "system": System,
    "system-grid": SystemGrid,
    "system-all": SystemAll,
}
