"""The named places of a pipeline, and how a picture is brought to a model's input size."""

from __future__ import annotations

from dataclasses import dataclass, field

from bitproof.core.errors import SpecError

#: The sites of each kind of input, in the order in which a sample passes them.
SITES: dict[str, tuple[str, ...]] = {
    "image": ("decode", "resize", "color", "image", "tensor", "model"),
    "vqa": ("decode", "resize", "color", "image", "model"),
}


@dataclass(frozen=True)
class Geometry:
    """How a decoded picture becomes the model's input.

    ``shorter`` scales the shorter side to ``resize`` pixels, ``square`` scales both sides to it and drops the aspect ratio;
    the middle ``size`` × ``size`` pixels are kept. ``longer`` scales the longer side to it and keeps all.
    ``interpolation`` names the clean occupant of the resize site.
    ``preprocess`` (``python:FILE.py#FUNCTION``, bytes → uint8 size×size×3) stands in the place of decoder and resizer, until a
    noise stands there; it is not printed, since ids that hold the printed geometry are older than it, and hold its digest.
    """

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

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) in px to which a picture of ``height`` × ``width`` px is scaled before the crop."""
        if self.mode == "square":
            return self.resize, self.resize
        side = max(height, width) if self.mode == "longer" else min(height, width)
        return max(1, self.resize * height // side), max(1, self.resize * width // side)
