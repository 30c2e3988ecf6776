"""Sequences in which the picture moves: it is shifted, turned, tilted and scaled frame by frame."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from bitproof.noises.corruptions.base import Image
from bitproof.noises.corruptions.filters import similarity
from bitproof.noises.corruptions.sequence import Frame


def translate_p(image: Image, rng: np.random.Generator, frame: int, middle: float) -> Image:
    """Shift by ``frame − middle`` px to the right; black comes in."""
    shift = frame - int(middle)
    y, width = np.zeros_like(image), image.shape[1]
    y[:, max(0, shift) : max(0, width + shift)] = image[:, max(0, -shift) : max(0, width - shift)]
    return y


def rotate_p(image: Image, rng: np.random.Generator, frame: int, middle: float) -> Image:
    """Turn by ``frame − middle`` degrees, clockwise."""
    return similarity(image, 1.0, frame - middle)


def scale_p(image: Image, rng: np.random.Generator, frame: int, start_percent: float, step_percent: float) -> Image:
    """Scale to ``start + frame·step`` percent."""
    return similarity(image, (start_percent + frame * step_percent) / 100, 0.0)


def tilt_p(image: Image, rng: np.random.Generator, frame: int, middle: float, step_deg: float) -> Image:
    """Turn about the two axes of the picture at once, by ``(frame − middle)·step`` degrees each."""
    height, width = image.shape[:2]
    matrix = tilted(height, width, np.deg2rad((frame - middle) * step_deg))
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height)))


def tilted(height: int, width: int, angle: float) -> npt.NDArray[np.float64]:
    """Return the homography of a picture that is turned by ``angle`` about its axes x and y, seen from its diagonal's length.

    p ↦ project(R_x·R_y·(p − centre, 1) + (0, 0, f)), f = √(w² + h²): like in the reference the picture stands 1 px behind the
    axes, so that an angle of 0 shrinks it by 1/(1 + f).
    """
    f, s, c = float(np.hypot(width, height)), np.sin(angle), np.cos(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    turn[2, 2] += f
    to_centre = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    projected = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
    return np.asarray(projected @ turn @ to_centre)


class _Move(Frame):
    uncropped: ClassVar[bool] = True


class TranslateP(_Move):
    """Translation: the picture moves to the right, a pixel a frame.

    y(x) = x(x − d), d = frame − 20 px, in 41 frames. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: where the scaled picture is longer than high, what its square crop cut off comes in as black.
    """

    show = staticmethod(translate_p)


class RotateP(_Move):
    """Rotation: the picture turns about its centre, a degree a frame.

    y = rotate(x, frame − 15°), linear interpolation, ⌊⌋, black outside. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: as ``TranslateP``; the centre is the picture's own, as in today's torchvision, and not half a pixel off.
    """

    show = staticmethod(rotate_p)


class TiltP(_Move):
    """Tilt: the picture turns in space, a degree a frame about each of its axes.

    y = x under the homography ``tilted(frame − 15°)``, linear interpolation, black outside. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: as ``TranslateP``; f is the diagonal of the square that the model's resize leaves.
    """

    show = staticmethod(tilt_p)


class ScaleP(_Move):
    """Scale: the picture grows from 40 % to 115 %.

    y = scale(x, 0.4 + 0.025·frame) about the centre, linear interpolation, ⌊⌋, black outside. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: as ``RotateP``.
    """

    show = staticmethod(scale_p)
