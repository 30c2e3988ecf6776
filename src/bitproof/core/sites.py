"""The named places of a pipeline, and how a sample of each kind becomes a model's input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from bitproof.core.errors import SpecError

#: The sites of each kind of input, in the order in which a sample passes them.
SITES: dict[str, tuple[str, ...]] = {
    "image": ("decode", "resize", "color", "image", "tensor", "model"),
    "vqa": ("decode", "resize", "color", "image", "model"),
    "keyword": ("decode", "resample", "wave", "tensor", "features", "model"),
    "text": ("text", "tokens", "tensor", "model"),
    "points": ("decode", "sample", "cloud", "frame", "tensor", "model"),
}


class Form(Protocol):
    """How a sample becomes a model's input; its print is in every id of what is made with it."""

    kind: ClassVar[str]

    @property
    def side(self) -> int | None:
        """Side of the picture that the model takes, px; None of what is none."""


@dataclass(frozen=True)
class Geometry:
    """How a decoded picture becomes the model's input.

    ``shorter`` scales the shorter side to ``resize`` pixels, ``square`` scales both sides to it and drops the aspect ratio;
    the middle ``size`` × ``size`` pixels are kept. ``longer`` scales the longer side to it and keeps all.
    ``interpolation`` names the clean occupant of the resize site.
    ``preprocess`` (``python:FILE.py#FUNCTION``, bytes → uint8 size×size×3) stands in the place of decoder and resizer, until a
    noise stands there; it is not printed, since ids that hold the printed geometry are older than it, and hold its digest.
    """

    kind: ClassVar[str] = "image"

    size: int
    resize: int
    mode: str = "shorter"
    interpolation: str = "pil-bilinear"
    preprocess: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in ("shorter", "square", "longer"):
            raise SpecError(f"Geometry mode {self.mode!r} is unknown: 'shorter', 'square' or, for a chat endpoint, 'longer'.")
        if not 0 < self.size <= self.resize:
            raise SpecError(f"A crop of {self.size} px from a side of {self.resize} px is impossible: 0 < size ≤ resize.")

    @property
    def side(self) -> int:
        """Side of the model's picture, px."""
        return self.size

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) in px to which a picture of ``height`` × ``width`` px is scaled before the crop."""
        if self.mode == "square":
            return self.resize, self.resize
        side = max(height, width) if self.mode == "longer" else min(height, width)
        return max(1, self.resize * height // side), max(1, self.resize * width // side)


@dataclass(frozen=True)
class Clip:
    """How a decoded recording becomes the model's input.

    It is brought to ``rate`` Hz by ``resample`` and cut or filled with silence, both at its end, to ``time_s`` seconds;
    ``features`` names the front end. Both are the clean occupants of their sites.
    """

    kind: ClassVar[str] = "keyword"

    features: str
    resample: str = "soxr-hq"
    rate: int = 16_000
    time_s: float = 1.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.length < 1:
            raise SpecError(f"A clip of {self.time_s} s at {self.rate} Hz is impossible: both are more than 0.")

    @property
    def side(self) -> None:
        """None: it is no picture."""

    @property
    def length(self) -> int:
        """Samples of a clip."""
        return round(self.rate * self.time_s)


@dataclass(frozen=True)
class Words:
    """How a sentence, or a pair, becomes the model's input: its first ``length`` tokens, or with ``truncate`` left its last.

    ``tokenizer`` is the path of a ``tokenizer.json``, or what stands in one; it is not printed, its ``digest`` is.
    """

    kind: ClassVar[str] = "text"

    length: int
    digest: str
    truncate: str = "right"
    tokenizer: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.length < 3 or self.truncate not in ("left", "right"):
            raise SpecError(f"length={self.length}, truncate={self.truncate!r}: at least 3 tokens, and left or right, are needed.")

    @property
    def in_file(self) -> bool:
        """Whether ``tokenizer`` names a file."""
        return not self.tokenizer.lstrip().startswith("{")

    @property
    def side(self) -> None:
        """None: it is no picture."""


@dataclass(frozen=True)
class Cloud:
    """How a shape becomes the model's input: ``points`` of it, drawn by ``sample`` and brought to one size by ``frame``.

    Both are the clean occupants of their sites.
    """

    kind: ClassVar[str] = "points"

    points: int = 1024
    sample: str = "sample-area"
    frame: str = "unit-sphere"

    def __post_init__(self) -> None:
        if self.points < 8:
            raise SpecError(f"points={self.points}: at least 8 are needed of a shape; 1024 are usual.")

    @property
    def side(self) -> None:
        """None: it is no picture."""
