"""``stand-in:N``: as many pictures as data that are not here yet, to plan a grid."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from PIL import Image

from bitproof.core import SpecError
from bitproof.tasks.data import ImageData, Sample, fingerprint
from bitproof.tasks.sources.files import Kept

#: What whoever reads a figure of these pictures has to know.
NOTE = "One drawn picture, again and again: no figure of it says anything about a network."


def drawn(width: int, height: int) -> bytes:
    """Return a JPEG of coloured clouds, about as large as a photograph of that size."""
    small = np.random.default_rng(0).integers(0, 256, (-(-height // 4), -(-width // 4), 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


@dataclass(frozen=True)
class StandIn:
    """``n`` times the same drawn picture of ``width`` × ``height`` pixels, labels 0 … ``classes`` − 1 by turns; no file is needed.

    For ``bitproof run --dry-run`` before the data are here: ``stand-in:50000,classes=1000``. Source: bitproof's own.
    Raises SpecError for a number below 1.
    """

    n: int
    classes: int = 1000
    width: int = 500
    height: int = 375

    task: ClassVar[str] = "image"
    source: ClassVar[str] = "bitproof's own"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        low = next((field.name for field in fields(self) if getattr(self, field.name) < 1), None)
        if low is not None:
            raise SpecError(
                f"stand-in {low}={getattr(self, low)} has to be at least 1. Type for example stand-in:50000,classes=1000."
            )

    def load(self) -> ImageData:
        """Draw the picture."""
        read = Kept(drawn(self.width, self.height))
        samples = tuple(Sample(f"{i:08d}", i % self.classes, read) for i in range(self.n))
        size = (self.n, self.classes, self.width, self.height)
        return ImageData("stand-in", samples, fingerprint("stand-in", self.version, [], *size), self.classes, note=NOTE)
