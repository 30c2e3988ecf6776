"""Site ``color``: what a camera, a codec or an accelerator does to the channels on their way to the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.core import SpecError
from bitproof.noises.system.checks import Picture, check_picture

Plane = NDArray[np.int32]
Planes = tuple[Plane, Plane, Plane]
Matrix = NDArray[np.float64]

#: Share of red and of blue in the luma. Source: ITU-R BT.601-7 and BT.709-6.
LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}

#: Levels that luma and chroma span, and the lowest luma. Source: the same; full range as JPEG has it (JFIF 1.02).
RANGES = {"limited": (219, 224, 16), "full": (255, 255, 0)}

ARITHMETICS = ("integer", "float")


@cache
def yuv_matrix(matrix: str, range: str) -> Matrix:
    """Return the rows Y, U, V by columns R, G, B that turn levels of 255 into code levels, offsets apart.

    Y = (r R + (1 − r − b) G + b B)·luma/255, U = (B − Y')/(2(1 − b))·chroma/255, V = (R − Y')/(2(1 − r))·chroma/255.
    """
    (red, blue), (luma, chroma, _) = LUMA[matrix], RANGES[range]
    y = np.array([red, 1 - red - blue, blue])
    u, v = (np.array([0, 0, 1]) - y) / (2 - 2 * blue), (np.array([1, 0, 0]) - y) / (2 - 2 * red)
    rows: Matrix = np.stack([y * luma, u * chroma, v * chroma]) / 255
    return rows


def to_yuv(image: Picture, matrix: str = "bt601", range: str = "limited") -> Planes:
    """uint8 RGB H×W×3 → Y, U, V, int32 H×W each; limited: Y in [16, 235], U and V in [16, 240]; full: all in [0, 255].

    BT.601, limited: Y = round(.256788 R + .504129 G + .097906 B) + 16; U = round(−.148223 R − .290993 G + .439216 B) + 128;
    V = round(.439216 R − .367788 G − .071427 B) + 128. Coefficients are whole millionths, halves are rounded up; integers
    throughout, so every machine agrees.
    """
    r, g, b = (image[..., channel].astype(np.int32) for channel in (0, 1, 2))
    millionths = np.rint(yuv_matrix(matrix, range) * 1e6).astype(int).tolist()
    y, u, v = ((i * r + j * g + k * b + 500_000) // 1_000_000 for i, j, k in millionths)
    return y + RANGES[range][2], (u + 128).clip(0, 255), (v + 128).clip(0, 255)


def to_rgb(y: Plane, u: Plane, v: Plane, matrix: str = "bt601", range: str = "limited") -> Picture:
    """Y, U, V, H×W each → uint8 RGB H×W×3, clipped to [0, 255]; coefficients in whole 256ths, as hardware has them.

    BT.601, limited, with C = Y − 16, D = U − 128, E = V − 128: R = (298 C + 409 E + 128) >> 8;
    G = (298 C − 100 D − 208 E + 128) >> 8; B = (298 C + 516 D + 128) >> 8.
    """
    rows = np.rint(np.linalg.inv(yuv_matrix(matrix, range)) * 256).astype(int).tolist()
    c, d, e = y - RANGES[range][2], u - 128, v - 128
    rgb: Plane = np.stack([i * c + j * d + k * e + 128 for i, j, k in rows], axis=-1) >> 8
    return rgb.clip(0, 255).astype(np.uint8)


def to_yuv_float(image: Picture, matrix: str, range: str) -> Planes:
    """As ``to_yuv``, with the real coefficients in float64; the planes are whole levels all the same, halves rounded up."""
    x = image.astype(np.float64)
    rows = yuv_matrix(matrix, range).tolist()
    planes = (np.floor(i * x[..., 0] + j * x[..., 1] + k * x[..., 2] + 0.5).astype(np.int32) for i, j, k in rows)
    y, u, v = planes
    return y + RANGES[range][2], (u + 128).clip(0, 255), (v + 128).clip(0, 255)


def to_rgb_float(y: Plane, u: Plane, v: Plane, matrix: str, range: str) -> Picture:
    """As ``to_rgb``, with the real coefficients in float64; halves rounded up."""
    c, d, e = (plane.astype(np.float64) for plane in (y - RANGES[range][2], u - 128, v - 128))
    rows = np.linalg.inv(yuv_matrix(matrix, range)).tolist()
    rgb = np.stack([np.floor(i * c + j * d + k * e + 0.5) for i, j, k in rows], axis=-1)
    return rgb.clip(0, 255).astype(np.uint8)


def share_chroma(plane: Plane) -> Plane:
    """Give every 2×2 block of H×W its mean, (a + b + c + d + 2) >> 2; a last odd row or column counts twice."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    mean = (even[::2, ::2] + even[::2, 1::2] + even[1::2, ::2] + even[1::2, 1::2] + 2) >> 2
    return mean.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


class _Color(ABC):
    """Checks the picture; a subclass only converts."""

    site: ClassVar[str] = "color"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image", "vqa")
    source: ClassVar[str] = "SysNoise (MLSys 2023), colour mode; ModelTC/systemnoise_web@3d5268e"
    version: ClassVar[int] = 1

    def __call__(self, image: Picture) -> Picture:
        """Convert one picture: uint8 H×W×3 → uint8 H×W×3, a new array. Raises ShapeError on another shape or dtype."""
        return self._convert(check_picture(image))

    @abstractmethod
    def _convert(self, image: Picture) -> Picture: ...


@dataclass(frozen=True)
class Bgr(_Color):
    """Red and blue swapped: the channel order of OpenCV handed to a network that was trained on RGB.

    Shapes: H×W×3 → H×W×3. Range: uint8. Raises: ShapeError. Source: cv2.imread's channel order. Differs from the paper: nothing.
    """

    family: ClassVar[str] = "field"
    source: ClassVar[str] = "OpenCV's channel order"

    def _convert(self, image: Picture) -> Picture:
        return np.ascontiguousarray(image[..., ::-1])


@dataclass(frozen=True)
class _Yuv(_Color):
    matrix: str = "bt601"
    range: str = "limited"
    arithmetic: str = "integer"

    def __post_init__(self) -> None:
        for word, allowed in (("matrix", LUMA), ("range", RANGES), ("arithmetic", ARITHMETICS)):
            if getattr(self, word) not in allowed:
                raise SpecError(f"{word}={getattr(self, word)} is unknown: {' or '.join(allowed)}.")

    def _convert(self, image: Picture) -> Picture:
        there: Any = to_yuv if self.arithmetic == "integer" else to_yuv_float
        back: Any = to_rgb if self.arithmetic == "integer" else to_rgb_float
        rgb: Picture = back(*self._coded(*there(image, self.matrix, self.range)), self.matrix, self.range)
        return rgb

    @abstractmethod
    def _coded(self, y: Plane, u: Plane, v: Plane) -> Planes: ...


@dataclass(frozen=True)
class Yuv444(_Yuv):
    """RGB → YUV → RGB at full chroma, 8-bit planes between: ``to_rgb(*to_yuv(x))``.

    ``matrix`` is bt601 or bt709, ``range`` limited (16 to 235) or full, ``arithmetic`` integer (millionths there, 256ths back)
    or float (float64, planes rounded). Shapes: H×W×3 → H×W×3. Range: uint8. Raises: ShapeError; SpecError for another word.
    Source: SysNoise, colour mode. Differs from the paper: nothing by default; it has BT.601, limited range, alone.
    """

    def _coded(self, y: Plane, u: Plane, v: Plane) -> Planes:
        return y, u, v


@dataclass(frozen=True)
class Yuv420(_Yuv):
    """RGB → YUV → RGB where each 2×2 block shares its mean chroma (NV12, 4:2:0): ``to_rgb(y, share(u), share(v))``.

    Settings as for ``yuv-444``. Shapes: H×W×3 → H×W×3, odd sizes too. Range: uint8. Raises: ShapeError; SpecError for another
    word. Source: SysNoise, colour mode (NV12).
    Differs from the paper: it names neither how chroma is averaged nor how it is read back; here the mean, then repetition.
    """

    def _coded(self, y: Plane, u: Plane, v: Plane) -> Planes:
        return y, share_chroma(u), share_chroma(v)
