"""Digital changes: brightness, contrast, saturation, elastic distortion, pixelation, JPEG."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from bitproof.noises.corruptions.base import Image, ImageCorruption
from bitproof.noises.corruptions.filters import SLACK, Floats, jpeg, truncate
from bitproof.noises.corruptions.sequence import Frame

_GREY = np.arange(256.0)


@lru_cache(maxsize=64)
def _brighter(add: float) -> Image:
    """256 × 256: the new level of an element from its pixel's V = max(R, G, B) (row) and itself (column)."""
    value = _GREY[:, None]
    raised = np.clip(value + 255 * add, 0, 255)
    return (np.where(value > 0, np.minimum(_GREY, value) * raised / np.maximum(value, 1), raised) + SLACK).astype(np.uint8)


def brightness(image: Image, rng: np.random.Generator, add: float) -> Image:
    """Add to V of HSV. At equal hue and saturation R, G and B are in proportion to V, so no HSV is needed."""
    planes = cv2.split(image)
    row = cv2.max(cv2.max(planes[0], planes[1]), planes[2]).astype(np.uint16) << np.uint16(8)
    return np.asarray(cv2.merge([np.take(_brighter(add), row | plane) for plane in planes]))


def brightness_p(image: Image, rng: np.random.Generator, frame: int, middle: float, step: float) -> Image:
    """Add ``(frame − middle)·step`` to V of HSV."""
    return brightness(image, rng, (frame - middle) * step)


@lru_cache(maxsize=32)
def _saturation(multiply: float, add: float) -> tuple[Floats, Floats]:
    """256 × 256 by V and min(R, G, B): the factor of V − element, and what greys lose in G and B, for hue 0 is red."""
    value, least = _GREY[:, None], _GREY[None, :]
    saturation = np.clip((value - least) / np.maximum(value, 1), 0, 1)
    changed = np.clip(saturation * multiply + add, 0, 1)
    factor = changed / np.where(saturation > 0, saturation, 1)
    loss = np.where(value == least, value * changed, 0)
    return factor.astype(np.float32), loss.astype(np.float32)


def saturate(image: Image, rng: np.random.Generator, multiply: float, add: float) -> Image:
    """Scale S of HSV and add to it. At equal hue and V each of V − R, V − G, V − B is in proportion to S."""
    planes = cv2.split(image)
    value = cv2.max(cv2.max(planes[0], planes[1]), planes[2])
    least = cv2.min(cv2.min(planes[0], planes[1]), planes[2])
    cell = value.astype(np.uint16) << np.uint16(8) | least
    factor, loss = (np.take(table, cell) for table in _saturation(multiply, add))
    red, green, blue = (value - factor * cv2.subtract(value, plane) for plane in planes)
    return truncate(cv2.merge([red, green - loss, blue - loss]))


def contrast(image: Image, rng: np.random.Generator, gain: float) -> Image:
    """Scale about the mean of each channel."""
    means = np.array(cv2.mean(image)[:3])
    levels = np.clip((_GREY[:, None] - means) * gain + means + SLACK, 0, 255)
    return np.asarray(cv2.LUT(image, levels.astype(np.uint8)[None]))


def pixelate(image: Image, rng: np.random.Generator, scale: float) -> Image:
    """Shrink with a box filter, then repeat the pixel under each centre, which is what a box filter does when it enlarges."""
    height, width = image.shape[:2]
    rows, columns = int(height * scale), int(width * scale)
    small = np.asarray(Pillow.fromarray(image).resize((columns, rows), Pillow.Resampling.BOX))
    return small.take(_under(width, columns), axis=1).take(_under(height, rows), axis=0)


def _under(length: int, fewer: int) -> npt.NDArray[np.intp]:
    return (2 * np.arange(length) + 1) * fewer // (2 * length)


def jpeg_compression(image: Image, rng: np.random.Generator, quality: int) -> Image:
    """Write as JPEG, chroma 4:2:0, and read back."""
    return jpeg(image, quality)


@lru_cache(maxsize=32)
def response(side: int, sigma_px: float) -> Floats:
    """Return what a Gaussian cut at 3σ does to each cosine of a line of ``side`` px that is mirrored at its ends."""
    reach = int(3 * sigma_px + 0.5)
    offset = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offset / max(sigma_px, 1e-9)) ** 2)
    return np.asarray(np.cos(np.pi / side * np.outer(np.arange(side), offset)) @ (weights / weights.sum()), np.float32)


def smooth(field: Floats, sigma_px: float) -> Floats:
    """Blur H×W with a Gaussian cut at 3σ, mirrored at the border; both sides are even, as OpenCV's cosine transform wants them.

    In cosines any σ costs the same: at 224 px the reference's widest filter has 1025 taps.
    """
    rows, columns = (response(side, sigma_px) for side in field.shape)
    return np.asarray(cv2.idct(cv2.dct(field) * np.outer(rows, columns)))


def displace(image: Floats, corners: Floats, field: Floats) -> Floats:
    """Move three inner points by ``corners`` (3 × (x, y), px), then each pixel by ``field`` (H×W×(x, y), px)."""
    height, width = image.shape[:2]
    centre, reach = np.array([width // 2, height // 2], np.float32), min(height, width) // 3
    before = centre + np.array([[reach, reach], [reach, -reach], [-reach, -reach]], np.float32)
    matrix = cv2.getAffineTransform(before, before + corners)
    skewed = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.remap(skewed, field + _grid(height, width), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> Floats:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.dstack([x, y])


def elastic_transform(image: Image, rng: np.random.Generator, amplitude_px: float, sigma_px: float, jitter_px: float) -> Image:
    """Skew at random, then displace by smoothed noise."""
    height, width = image.shape[:2]
    corners = rng.uniform(-jitter_px, jitter_px, (3, 2)).astype(np.float32)
    noise = rng.random((2, height + height % 2, width + width % 2), dtype=np.float32) * np.float32(2) - np.float32(1)
    field = cv2.merge([np.float32(amplitude_px) * smooth(plane, sigma_px)[:height, :width] for plane in noise])
    return truncate(displace(image.astype(np.float32), corners, field))


class Brightness(ImageCorruption):
    """Brightness: more light.

    V ← min(V + add, 1) in HSV. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(brightness)


class BrightnessP(Frame):
    """Brightness: the light comes up.

    V ← clip(V + 0.02·(frame − 15), 0, 1) in HSV. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    show = staticmethod(brightness_p)


class Saturate(ImageCorruption):
    """Saturation: paler or more vivid colours.

    S ← clip(S·multiply + add, 0, 1) in HSV; greys have hue 0, so adding makes them red. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(saturate)


class Contrast(ImageCorruption):
    """Contrast: less difference from the mean.

    y = ⌊clip((x − mean)·gain + mean)⌋ in each channel. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(contrast)


class ElasticTransform(ImageCorruption):
    """Elastic transform: small regions stretched and squeezed.

    y(p) = x(A(p + d(p))): A moves three points by U(−jitter, jitter), d = amplitude·G_σ(U(−1, 1)), cut at 3σ.
    uint8 H×W×3 → uint8 H×W×3. Amplitude, σ and jitter are in pixels of the set's own picture size, whatever the picture's.
    ImageNet-C's severities 1 and 2 are large and smooth, 3 to 5 small and sharp: harm need not grow with severity.
    Source: 1903.12261 and its code.
    Differs from the paper: in a picture that is not square, the three points are taken in its own width and height; where a
    side is odd, the field is smoothed one pixel longer and cut; OpenCV places a pixel to 1/32 px.
    """

    min_side_px: ClassVar[int] = 3

    corrupt = staticmethod(elastic_transform)


class Pixelate(ImageCorruption):
    """Pixelation: fewer, larger pixels.

    y = box↑(box↓(x, scale)), the shrinking by Pillow. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: nothing.
    """

    corrupt = staticmethod(pixelate)

    def smallest_px(self, settings: Mapping[str, Any]) -> int:
        """Return the side of which one pixel is left."""
        return ceil(1 / float(settings["scale"]))


class JpegCompression(ImageCorruption):
    """JPEG compression at low quality.

    y = decode(encode(x, quality)), chroma 4:2:0. uint8 H×W×3 → uint8 H×W×3.
    Source: 1903.12261 and its code.
    Differs from the paper: OpenCV calls the JPEG library instead of Pillow; a test holds the two to the same bytes.
    """

    corrupt = staticmethod(jpeg_compression)
