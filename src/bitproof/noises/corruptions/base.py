"""What all corruptions share: the checks, the choice of constants, the seeded generator, the storage step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bitproof.core import ShapeError
from bitproof.noises.corruptions import table
from bitproof.noises.corruptions.filters import jpeg

Image = npt.NDArray[np.uint8]

#: The JPEG quality that ImageNet-C's pictures were saved with. Source: hendrycks/robustness@8190fe3, make_imagenet_c.py.
STORED_QUALITY = 85


@dataclass(frozen=True)
class ImageCorruption:
    """A corruption: ``corrupt(image, rng, **constants)``, a pure function, at the published constants of one severity.

    ``constants`` names the published set, or ``auto`` for the one that was made for pictures of about this size.
    The result is cut to whole grey levels, as the references do before they save (``filters.truncate``); a subclass that rounds
    says so.
    ``stored`` then writes it as JPEG of quality 85, chroma 4:2:0, and reads it back, as ImageNet-C was stored; without it the
    picture goes on as it is, as CIFAR-10-C's arrays do.
    """

    severity: int
    constants: str = "auto"
    stored: bool = False

    site: ClassVar[str] = "image"
    family: ClassVar[str] = "natural"
    kinds: ClassVar[tuple[str, ...]] = ("image", "vqa")
    source: ClassVar[str] = "arXiv 1903.12261; hendrycks/robustness@8190fe3"
    version: ClassVar[int] = 1

    corrupt: ClassVar[Callable[..., Image]]
    sets: ClassVar[tuple[str, ...]] = table.SETS
    min_side_px: ClassVar[int] = 1

    def __post_init__(self) -> None:
        table.check(self.severity, self.constants, self.sets)

    def __call__(self, image: Image, seed: int) -> Image:
        """Return a new, corrupted picture that ``seed`` alone determines.

        uint8 H×W×3 → uint8 H×W×3. Raises ShapeError on another dtype or shape (``noises.as_rgb`` converts them), and on sides
        below ``smallest_px``.
        """
        name = self.corrupt.__name__
        check_picture(image, name)
        settings = self.settings(*image.shape[:2])
        check_size(image, name, self.smallest_px(settings))
        rng = np.random.Generator(np.random.SFC64(seed))
        y = self.corrupt(np.ascontiguousarray(image), rng, **settings)
        return jpeg(y, STORED_QUALITY) if self.stored else y

    def settings(self, height: int, width: int) -> dict[str, Any]:
        """Return the keyword arguments of ``corrupt`` for a picture of this size."""
        name = table.nearest_set(height, width) if self.constants == "auto" else self.constants
        return dict(table.constants(self.corrupt.__name__, name, self.severity))

    def smallest_px(self, settings: Mapping[str, Any]) -> int:
        """Return the shortest side that ``corrupt`` can handle with these keyword arguments."""
        return self.min_side_px


def check_picture(image: Any, name: str) -> None:
    """Raise ShapeError unless ``image`` is a NumPy array uint8 H×W×3; ``name`` is who takes it."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} {'×'.join(map(str, image.shape))}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ShapeError(f"{name} takes a NumPy array uint8 H×W×3 and was given {found}.")


def check_size(image: Image, name: str, least: int) -> None:
    """Raise ShapeError where a side of ``image`` is below ``least`` px."""
    if min(image.shape[:2]) < least:
        size = f"{image.shape[0]}×{image.shape[1]}"
        raise ShapeError(f"{name} takes pictures of at least {least}×{least} px and was given {size} px.")
