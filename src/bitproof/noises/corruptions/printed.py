"""Printed and photographed: what lies between a picture on a screen and the same picture seen by a camera on paper."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np

from bitproof.core import SpecError
from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.filters import Floats, gaussian, truncate

#: Parameter → severities 1 to 5. bitproof's own, no publication fixes them: ``corner`` and ``sigma`` are shares of the side,
#: ``gain`` and ``slope`` shares of the light, ``black`` and ``white`` the ends of what ink on paper reflects, ``pale`` the share
#: of colour that it loses.
LEVELS: dict[str, tuple[float, float, float, float, float]] = {
    "corner": (0.02, 0.04, 0.06, 0.09, 0.12),
    "gain": (0.05, 0.10, 0.15, 0.20, 0.30),
    "slope": (0.05, 0.10, 0.20, 0.30, 0.40),
    "sigma": (0.008, 0.012, 0.016, 0.022, 0.030),
    "black": (0.02, 0.04, 0.06, 0.08, 0.12),
    "white": (0.98, 0.95, 0.92, 0.88, 0.84),
    "pale": (0.05, 0.10, 0.20, 0.30, 0.40),
}


def on_paper(x: Floats, black: float, white: float, pale: float) -> Floats:
    """What ink on paper reflects of x, 0 to 255: colours drawn to their grey by ``pale``, levels squeezed into black…white."""
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    faded = x + np.float32(pale) * (grey[..., None] - x)
    return np.asarray(255 * black + (white - black) * faded, np.float32)


def seen_askew(x: Floats, moves: Floats) -> Floats:
    """The plane that x lies in, turned away: its corners (4 × (x, y)) moved by ``moves`` px; what comes in is mirrored."""
    height, width = x.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, corners + moves)
    return np.asarray(cv2.warpPerspective(x, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


def lit(x: Floats, gain: float, slope: float, angle: float) -> Floats:
    """Return x under light that grows by ``slope`` from one side to the other, along ``angle``, and is ``gain`` in the middle."""
    height, width = x.shape[:2]
    down, across = np.linspace(-0.5, 0.5, height)[:, None], np.linspace(-0.5, 0.5, width)[None, :]
    light = gain * (1 + slope * (np.cos(angle) * across + np.sin(angle) * down))
    return np.asarray(x * light[..., None], np.float32)


def printed(
    image: Image,
    rng: np.random.Generator,
    corner: float,
    gain: float,
    slope: float,
    sigma: float,
    black: float,
    white: float,
    pale: float,
) -> Image:
    """Print, turn away, light, blur."""
    side = min(image.shape[:2])
    moves = rng.uniform(-corner, corner, (4, 2)).astype(np.float32) * side
    light, angle = 1 + rng.uniform(-gain, gain), rng.uniform(0, 2 * np.pi)
    x = on_paper(image.astype(np.float32), black, white, pale)
    return truncate(gaussian(lit(seen_askew(x, moves), light, slope, angle), sigma * side))


class Printed(ImageCorruption):
    """Printed and photographed: ink's range of colours, a tilted sheet, uneven light, a soft lens.

    y = G_σ(light · warp(black + (white − black)·fade(x))); the corners of the warp are moved by U(−corner, corner) of the side, the
    light is 1 ± gain in the middle and slopes along a random direction. uint8 H×W×3 → uint8 H×W×3, at any size.
    Source: 1707.07397 §3 (what is simulated between a picture and its photograph); the levels are bitproof's own.
    Differs from the paper: severities; no camera noise, for which there are other corruptions.
    """

    sets: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = "arXiv 1707.07397; levels: bitproof"
    min_side_px: ClassVar[int] = 4

    corrupt = staticmethod(printed)

    def __post_init__(self) -> None:
        if self.constants != "auto":
            raise SpecError(f"constants={self.constants!r}: 'printed' has one set of levels, for every size. Leave it out.")
        super().__post_init__()

    def settings(self, height: int, width: int) -> dict[str, Any]:
        """The levels of the severity."""
        return {name: levels[self.severity - 1] for name, levels in LEVELS.items()}
