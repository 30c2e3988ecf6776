"""Site ``color``: what a camera, a codec or an accelerator does to the channels on their way to the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitproof.noises.system.checks import Picture, check_picture

Plane = NDArray[np.int32]

#: Rows Y, U, V by columns R, G, B, in millionths; BT.601, limited range.
_TO_YUV = ((256788, 504129, 97906), (-148223, -290993, 439216), (439216, -367788, -71427))


def to_yuv(image: Picture) -> tuple[Plane, Plane, Plane]:
    """uint8 RGB H×W×3 → Y, U, V, int32 H×W each, Y in [16, 235], U and V in [16, 240].

    Y = round(.256788 R + .504129 G + .097906 B) + 16; U = round(−.148223 R − .290993 G + .439216 B) + 128;
    V = round(.439216 R − .367788 G − .071427 B) + 128. Halves are rounded up; integers throughout, so every machine agrees.
    """
    r, g, b = (image[..., channel].astype(np.int32) for channel in range(3))
    y, u, v = ((i * r + j * g + k * b + 500_000) // 1_000_000 for i, j, k in _TO_YUV)
    return y + 16, u + 128, v + 128


def to_rgb(y: Plane, u: Plane, v: Plane) -> Picture:
    """Y, U, V, H×W each → uint8 RGB H×W×3, clipped to [0, 255].

    With C = Y − 16, D = U − 128, E = V − 128: R = (298 C + 409 E + 128) >> 8; G = (298 C − 100 D − 208 E + 128) >> 8;
    B = (298 C + 516 D + 128) >> 8.
    """
    c, d, e = 298 * (y - 16) + 128, u - 128, v - 128
    rgb: Plane = np.stack([c + 409 * e, c - 100 * d - 208 * e, c + 516 * d], axis=-1) >> 8
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
    kinds: ClassVar[tuple[str, ...]] = ("image",)
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

    source: ClassVar[str] = "OpenCV's channel order"

    def _convert(self, image: Picture) -> Picture:
        return np.ascontiguousarray(image[..., ::-1])


@dataclass(frozen=True)
class Yuv444(_Color):
    """RGB → YUV → RGB at full chroma, BT.601 limited range, 8-bit integers both ways: ``to_rgb(*to_yuv(x))``.

    Shapes: H×W×3 → H×W×3. Range: uint8. Raises: ShapeError. Source: SysNoise, colour mode. Differs from the paper: nothing.
    """

    def _convert(self, image: Picture) -> Picture:
        return to_rgb(*to_yuv(image))


@dataclass(frozen=True)
class Yuv420(_Color):
    """RGB → YUV → RGB where each 2×2 block shares its mean chroma (NV12, 4:2:0): ``to_rgb(y, share(u), share(v))``.

    Shapes: H×W×3 → H×W×3, odd sizes too. Range: uint8. Raises: ShapeError. Source: SysNoise, colour mode (NV12).
    Differs from the paper: it names neither how chroma is averaged nor how it is read back; here the mean, then repetition.
    """

    def _convert(self, image: Picture) -> Picture:
        y, u, v = to_yuv(image)
        return to_rgb(y, share_chroma(u), share_chroma(v))
