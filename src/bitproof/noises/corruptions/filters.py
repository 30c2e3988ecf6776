"""The filters that several corruptions are made of. Pictures are float32 from 0 to 255, or uint8 where it says so."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

#: Added before truncation to uint8, in grey levels. The references truncate, so a value that rounding left at 99.9999997 would
#: lose a whole level, and which values those are would differ from machine to machine.
SLACK = 1e-3


def truncate(x: Floats) -> npt.NDArray[np.uint8]:
    """Clip to 0…255 and cut the fraction off. H×W×3 → uint8 H×W×3."""
    return np.asarray(cv2.add(x, (SLACK - 0.5,) * 4, dtype=cv2.CV_8U))  # OpenCV rounds: half a level less is truncation


def jpeg(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Write as JPEG, chroma 4:2:0, and read back: byte for byte what Pillow's ``save(quality=…)`` and ``open`` give."""
    file = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def similarity(image: npt.NDArray[np.uint8], scale: float, angle_deg: float) -> npt.NDArray[np.uint8]:
    """Scale and turn (clockwise) about the centre; linear interpolation, cut to bytes, black outside. H×W×C → H×W×C.

    A pixel whose centre falls inside the picture is never mixed with the black, as in Pillow's affine transform.
    """
    height, width = image.shape[:2]
    s, c = np.sin(np.deg2rad(angle_deg)) / scale, np.cos(np.deg2rad(angle_deg)) / scale
    turn, centre = np.array([[c, s], [-s, c]]), np.array([width - 1, height - 1]) / 2
    matrix = np.column_stack([turn, centre - turn @ centre])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image.astype(np.float32), matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        np.ones((height, width), np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(truncate(warped) * inside[..., None])


def gaussian(x: Floats, sigma_px: float) -> Floats:
    """Blur with a Gaussian that is cut at 4σ; the border pixel is repeated, as scikit-image does by default."""
    width = 2 * int(4 * sigma_px + 0.5) + 1
    return np.asarray(cv2.GaussianBlur(x, (width, width), sigma_px, borderType=cv2.BORDER_REPLICATE))


def central(side: int, factor: float) -> tuple[int, int]:
    """Return start and length of the middle part of ``side`` pixels that fills it again when magnified by ``factor``."""
    length = int(np.ceil(side / factor))
    return (side - length) // 2, length


def magnify(x: npt.NDArray[Any], factor: float, height: int, width: int) -> npt.NDArray[Any]:
    """Scale by ``factor`` with linear interpolation and keep the middle ``height`` × ``width`` pixels.

    The outermost pixels' centres stay the outermost: output pixel i of m shows position i·(n − 1)/(m − 1) of n.
    """
    rows, columns = x.shape[:2]
    (scale_y, start_y), (scale_x, start_x) = _axis(rows, factor, height), _axis(columns, factor, width)
    matrix = np.array([[scale_x, 0, start_x], [0, scale_y, start_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(x, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _axis(length: int, factor: float, keep: int) -> tuple[float, float]:
    magnified = round(length * factor)
    scale = (length - 1) / (magnified - 1)
    return scale, (magnified - keep) // 2 * scale


def streak(x: npt.NDArray[Any], radius_px: float, sigma_px: float, angle_deg: float) -> Floats:
    """Blur along a line, one-sided: Σᵢ kᵢ · x(p + round(i·(cos, sin) angle)), kᵢ ∝ exp(−i²/2σ²), 0 ≤ i ≤ 2·radius.

    uint8 or float32 H×W or H×W×3 → float32. The border pixel is repeated. Source: ImageMagick's MotionBlurImage.
    """
    i = np.arange(2 * int(np.ceil(radius_px)) + 1)
    weights = np.exp(-(i**2) / (2 * sigma_px**2))
    angle = np.deg2rad(angle_deg)
    columns, rows = (np.ceil(i * side - 0.5).astype(int) for side in (np.cos(angle), np.sin(angle)))
    height, width = x.shape[:2]
    pad = len(i)
    padded = cv2.copyMakeBorder(x, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    mean = np.zeros(x.shape, np.float32)
    for row, column, share in zip(rows + pad, columns + pad, weights / weights.cumsum(), strict=True):
        cv2.accumulateWeighted(padded[row : row + height, column : column + width], mean, share)
    return mean
