"""What all corruptions share: the checks, the choice of constants, the seeded generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bitproof.core import ShapeError
from bitproof.noises.corruptions import table

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageCorruption:
    """A corruption: ``corrupt(image, rng, **constants)``, a pure function, at the published constants of one severity.

    ``constants`` names the published set, or ``auto`` for the one that was made for pictures of about this size.
    """

    severity: int
    constants: str = "auto"

    site: ClassVar[str] = "image"
    family: ClassVar[str] = "natural"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    source: ClassVar[str] = "arXiv 1903.12261; hendrycks/robustness@8190fe3"
    version: ClassVar[int] = 1

    corrupt: ClassVar[Callable[..., Image]]
    sets: ClassVar[tuple[str, ...]] = table.SETS
    min_side_px: ClassVar[int] = 16

    def __post_init__(self) -> None:
        table.check(self.severity, self.constants, self.sets)

    def __call__(self, image: Image, seed: int) -> Image:
        """Return a new, corrupted picture that ``seed`` alone determines.

        uint8 H×W×3 → uint8 H×W×3. Raises ShapeError on another dtype or shape, and on sides below ``min_side_px``.
        """
        self._check(image)
        rng = np.random.Generator(np.random.SFC64(seed))
        return self.corrupt(np.ascontiguousarray(image), rng, **self.settings(*image.shape[:2]))

    def settings(self, height: int, width: int) -> dict[str, Any]:
        """Return the keyword arguments of ``corrupt`` for a picture of this size."""
        name = table.nearest_set(height, width) if self.constants == "auto" else self.constants
        return dict(table.constants(self.corrupt.__name__, name, self.severity))

    def _check(self, image: Image) -> None:
        name = self.corrupt.__name__
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            found = f"{image.dtype} {'×'.join(map(str, image.shape))}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ShapeError(f"{name} takes a NumPy array uint8 H×W×3 and was given {found}.")
        if min(image.shape[:2]) < self.min_side_px:
            size = f"{image.shape[0]}×{image.shape[1]}"
            raise ShapeError(f"{name} takes pictures of at least {self.min_side_px}×{self.min_side_px} px and was given {size} px.")
