"""Blurs: out of focus, through frosted glass, moving, zooming, Gaussian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.filters import central, gaussian, magnify, similarity, streak, truncate
from bitproof.noises.corruptions.sequence import Frame

Index = npt.NDArray[np.int32]


def disk(radius_px: float, alias_sigma_px: float) -> npt.NDArray[np.float32]:
    """Return a disk of mass 1 on a grid of ±8 px (± radius beyond 8), softened by a Gaussian of 3×3 (5×5) px, its rim of 0 cut."""
    reach, width = (8, 3) if radius_px <= 8 else (int(radius_px), 5)
    i = np.arange(-reach, reach + 1)
    inside = (i[:, None] ** 2 + i[None, :] ** 2 <= radius_px**2).astype(np.float32)
    soft = cv2.GaussianBlur(inside / inside.sum(), (width, width), alias_sigma_px)
    rim = int(np.flatnonzero(soft.any(axis=0))[0])
    return np.asarray(soft[rim : len(soft) - rim, rim : len(soft) - rim])  # a smaller kernel is faster


def defocus_blur(image: Image, rng: np.random.Generator, radius_px: float, alias_sigma_px: float) -> Image:
    """Convolve with ``disk``; the border is mirrored at the outermost pixel."""
    return truncate(cv2.filter2D(image.astype(np.float32), -1, disk(radius_px, alias_sigma_px)))


def gaussian_blur(image: Image, rng: np.random.Generator, sigma_px: float) -> Image:
    """Convolve with a Gaussian."""
    return truncate(gaussian(image.astype(np.float32), sigma_px))


def motion_blur(image: Image, rng: np.random.Generator, radius_px: float, sigma_px: float) -> Image:
    """Smear along a line at a uniform angle within ±45°."""
    return truncate(streak(image, radius_px, sigma_px, rng.uniform(-45, 45)) + np.float32(0.5))


def motion_blur_p(
    image: Image, rng: np.random.Generator, frame: int, radius_px: float, sigma_px: float, start_deg: float, step_deg: float
) -> Image:
    """Smear along a line at ``start + frame·step`` degrees."""
    return truncate(streak(image, radius_px, sigma_px, start_deg + frame * step_deg) + np.float32(0.5))


def zoom_blur(image: Image, rng: np.random.Generator, start: float, stop: float, step: float) -> Image:
    """Average the picture and its copies magnified by ``start``, ``start + step``, … < ``stop``."""
    height, width = image.shape[:2]
    factors = np.arange(start, stop, step)  # as in the reference: where rounding adds a factor, both have it
    x = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)  # OpenCV warps four channels in half the time of three
    total = x.astype(np.float32)
    for factor in factors:
        (top, rows), (left, columns) = central(height, factor), central(width, factor)
        cv2.accumulate(magnify(x[top : top + rows, left : left + columns], factor, height, width), total)
    return truncate(cv2.cvtColor(total, cv2.COLOR_RGBA2RGB) / np.float32(len(factors) + 1))


def zoom_blur_p(image: Image, rng: np.random.Generator, frame: int, step: float) -> Image:
    """Average the picture and its copies scaled by ``1 + step``, … ``1 + frame·step`` about the centre."""
    x = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    total = x.astype(np.float32)
    for i in range(1, frame + 1):
        cv2.accumulate(similarity(x, 1 + step * i, 0.0), total)
    return truncate(cv2.cvtColor(total, cv2.COLOR_RGBA2RGB) / np.float32(frame + 1))


def shuffled(height: int, width: int, offsets: npt.NDArray[np.int8], delta_px: int) -> Index:
    """Return for every pixel the flat index that its value comes from, when each takes over a neighbour's in turn.

    Rows and columns go from side − δ down to δ + 1, so a pixel sees the new value of those below and right of it. Instead of
    going one by one, a pixel points at its neighbour and chains of pointers to new values are halved until none is left.
    ``offsets``: iterations × (row, column) × rows × columns.
    """
    index = np.arange(height * width, dtype=np.int32)
    source, inner = index, interior(height, width, delta_px)
    visited = np.zeros(index.shape, bool)
    visited[inner] = True
    for rows, columns in offsets:
        pointer = index.copy()
        pointer[inner] += (rows * np.int32(width) + columns).ravel()
        pending = visited.take(pointer) & (pointer > index)
        while (chained := np.flatnonzero(pending)).size:
            target = pointer.take(chained)
            pointer[chained], pending[chained] = pointer.take(target), pending.take(target)
        source = source.take(pointer)
    return source


def swapped(height: int, width: int, offsets: npt.NDArray[np.int8], delta_px: int) -> Index:
    """Return the same as ``shuffled`` for a true exchange of the two pixels, which no pixel is lost in."""
    source = list(range(height * width))
    inner = interior(height, width, delta_px)
    for rows, columns in offsets:
        targets = inner + (rows * np.int32(width) + columns).ravel()
        for p, q in zip(inner[::-1].tolist(), targets[::-1].tolist(), strict=True):
            source[p], source[q] = source[q], source[p]
    return np.array(source, np.int32)


def interior(height: int, width: int, delta_px: int) -> Index:
    """Return the flat indices of rows and columns δ + 1 … side − δ."""
    rows, columns = (np.arange(delta_px + 1, side - delta_px + 1, dtype=np.int32) for side in (height, width))
    return (rows[:, None] * width + columns).ravel()


def glass_blur(
    image: Image, rng: np.random.Generator, sigma_px: float, delta_px: int, iterations: int, fixed: bool = False
) -> Image:
    """Blur, let pixels take over the value of a neighbour at an offset in [−δ, δ), blur again."""
    height, width = image.shape[:2]
    shape = (iterations, 2, max(0, height - 2 * delta_px), max(0, width - 2 * delta_px))
    offsets = rng.integers(-delta_px, delta_px, shape, dtype=np.int8)
    source = (swapped if fixed else shuffled)(height, width, offsets, delta_px)
    blurred = truncate(gaussian(image.astype(np.float32), sigma_px))
    moved = blurred.reshape(-1, 3).take(source, axis=0).reshape(image.shape)
    return truncate(gaussian(moved.astype(np.float32), sigma_px))


class DefocusBlur(ImageCorruption):
    """Defocus blur: the picture is out of focus.

    y = x ∗ disk(radius, alias σ). uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing; like there, the grid cuts a disk of radius 8 at its softened rim.
    """

    corrupt = staticmethod(defocus_blur)


class GaussianBlur(ImageCorruption):
    """Gaussian blur.

    y = x ∗ N(0, σ²), cut at 4σ. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(gaussian_blur)


class MotionBlur(ImageCorruption):
    """Motion blur: the camera moves along a line.

    y(p) = Σᵢ kᵢ·x(p + round(i·(cos φ, sin φ))), kᵢ ∝ exp(−i²/2σ²), 0 ≤ i ≤ 2·radius, φ ~ U(−45°, 45°), rounded.
    uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: ImageMagick's formula without ImageMagick, so that any size of picture can be taken.
    """

    corrupt = staticmethod(motion_blur)


class ZoomBlur(ImageCorruption):
    """Zoom blur: the camera moves towards the object.

    y = (x + Σ_z zoom(x, z)) / (n + 1) over the n factors z = start, start + step, … < stop. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: each magnified copy is rounded to a byte, where the reference keeps fractions, and OpenCV places it to
    1/32 px; a picture that is not square is magnified about its own centre.
    """

    min_side_px: ClassVar[int] = 2

    corrupt = staticmethod(zoom_blur)


class MotionBlurP(Frame):
    """Motion blur whose direction turns by 4° a frame.

    y = ``MotionBlur`` with radius 10, σ = 3, φ = 4°·(frame − 30). uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: as ``MotionBlur``; with the ``tiny`` constants the reference smears the picture before it scales it.
    """

    show = staticmethod(motion_blur_p)


class ZoomBlurP(Frame):
    """Zoom blur that grows: one copy more, magnified by 0.4 % more, in each frame.

    y = ⌊mean of scale(x, 1 + 0.004·i), i = 0 … frame⌋, frame 0: y = x. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: scaled about the picture's own centre, as in today's torchvision, and not half a pixel off.
    """

    uncropped: ClassVar[bool] = True

    show = staticmethod(zoom_blur_p)


@dataclass(frozen=True)
class GlassBlur(ImageCorruption):
    """Glass blur: pixels shuffled among their neighbours, as through frosted glass.

    y = G(shuffle(⌊G(x)⌋)), G a Gaussian of σ, neighbours up to δ px away, so many iterations. uint8 H×W×3 → uint8 H×W×3.
    The reference means to exchange two pixels but copies one over the other; ``fixed`` exchanges them, another corruption.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    fixed: bool = False

    corrupt = staticmethod(glass_blur)

    def settings(self, height: int, width: int) -> dict[str, Any]:
        """Return the constants and ``fixed``."""
        return {**super().settings(height, width), "fixed": self.fixed}

    def smallest_px(self, settings: Mapping[str, Any]) -> int:
        """Return the side at which one pixel has all its neighbours."""
        return 2 * int(settings["delta_px"]) + 1
