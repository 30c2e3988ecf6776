"""Site ``resize``: scale as the model's ``Geometry`` asks, keep the middle square; eleven ways to scale.

Pillow widens its filter when it shrinks a picture (all but nearest); OpenCV does not (all but area), so it aliases.
Each class is one call of its library, uint8 H×W×3 → uint8 size×size×3.
Source: RobustART, imagenet_s_gen.py. Differs from the paper: the geometry is the model's, and its sizes are whole numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from PIL import Image

from bitproof.core import DataError, Geometry
from bitproof.noises.system.checks import MAX_PIXELS, Picture, check_picture


def center_crop(image: Picture, size: int) -> Picture:
    """Return a copy of the middle ``size`` × ``size`` pixels of H×W×3, H, W ≥ ``size``.

    top = round((H − size) / 2), left = round((W − size) / 2), halves to even: torchvision's CenterCrop.
    """
    top, left = (round((side - size) / 2) for side in image.shape[:2])
    return image[top : top + size, left : left + size].copy()


class _Resize(ABC):
    """Scales and crops; a subclass only scales."""

    site: ClassVar[str] = "resize"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    source: ClassVar[str] = "RobustART, imagenet_s_gen.py (DIG-Beihang/RobustART@068a4fd); SysNoise (MLSys 2023) Sec 3.4"
    version: ClassVar[int] = 1

    def __call__(self, image: Picture, geometry: Geometry) -> Picture:
        """Bring one picture to the model's size: uint8 H×W×3 → uint8 size×size×3, a new array.

        A picture that already has its scaled size is only cropped.
        Raises ShapeError on another shape or dtype, DataError where a very long, narrow picture would be scaled to too many pixels.
        """
        image = check_picture(image)
        height, width = geometry.scaled(*image.shape[:2])
        if height * width > MAX_PIXELS:
            raise DataError(
                f"A picture of {image.shape[0]} × {image.shape[1]} pixels (height × width) would be scaled to {height} × {width}; "
                f"allowed are {MAX_PIXELS} pixels. Take the geometry mode 'square', or leave it out of the data."
            )
        if (height, width) != image.shape[:2]:
            image = self._scale(image, height, width)
        return center_crop(image, geometry.size)

    @abstractmethod
    def _scale(self, image: Picture, height: int, width: int) -> Picture: ...


class _Pil(_Resize):
    filter: ClassVar[Image.Resampling]

    def _scale(self, image: Picture, height: int, width: int) -> Picture:
        return np.asarray(Image.fromarray(image).resize((width, height), self.filter))


class _Cv(_Resize):
    interpolation: ClassVar[int]

    def _scale(self, image: Picture, height: int, width: int) -> Picture:
        return np.asarray(cv2.resize(image, (width, height), interpolation=self.interpolation), dtype=np.uint8)


@dataclass(frozen=True)
class PilNearest(_Pil):
    """Pillow, nearest pixel: no filter, aliases when it shrinks."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.NEAREST


@dataclass(frozen=True)
class PilBox(_Pil):
    """Pillow, box filter: the mean of the pixels that fall into one."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.BOX


@dataclass(frozen=True)
class PilBilinear(_Pil):
    """Pillow, triangle filter of radius 1, widened when it shrinks: torchvision's default, the usual clean resize."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.BILINEAR


@dataclass(frozen=True)
class PilHamming(_Pil):
    """Pillow, Hamming-windowed sinc of radius 1: sharper than bilinear at its cost."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.HAMMING


@dataclass(frozen=True)
class PilCubic(_Pil):
    """Pillow, cubic filter with a = −0.5, widened when it shrinks: timm's usual clean resize."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class PilLanczos(_Pil):
    """Pillow, Lanczos-windowed sinc of radius 3, widened when it shrinks."""

    filter: ClassVar[Image.Resampling] = Image.Resampling.LANCZOS


@dataclass(frozen=True)
class CvNearest(_Cv):
    """OpenCV, nearest pixel by flooring (``INTER_NEAREST``): not Pillow's pixel centres."""

    interpolation: ClassVar[int] = cv2.INTER_NEAREST


@dataclass(frozen=True)
class CvBilinear(_Cv):
    """OpenCV, two by two pixels at any ratio (``INTER_LINEAR``): aliases when it shrinks by more than two."""

    interpolation: ClassVar[int] = cv2.INTER_LINEAR


@dataclass(frozen=True)
class CvArea(_Cv):
    """OpenCV, mean over the covered area when it shrinks (``INTER_AREA``); bilinear-like when it enlarges."""

    interpolation: ClassVar[int] = cv2.INTER_AREA


@dataclass(frozen=True)
class CvCubic(_Cv):
    """OpenCV, four by four pixels with a = −0.75 at any ratio (``INTER_CUBIC``)."""

    interpolation: ClassVar[int] = cv2.INTER_CUBIC


@dataclass(frozen=True)
class CvLanczos(_Cv):
    """OpenCV, eight by eight pixels at any ratio (``INTER_LANCZOS4``)."""

    interpolation: ClassVar[int] = cv2.INTER_LANCZOS4
