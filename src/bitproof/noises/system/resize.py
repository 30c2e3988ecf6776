"""Site ``resize``: scale as the model's ``Geometry`` asks, keep the middle square; thirteen ways to scale.

Pillow widens its filter when it shrinks a picture (all but nearest); OpenCV does not (all but area), so it aliases; torch does
as ``antialias`` says. Each class is one call of its library, uint8 H×W×3 → uint8 size×size×3. Every one may bring a geometry of
its own: ``mode`` (shorter or square) and ``resize`` (px) replace the model's, ``none`` keeps it.
Source: RobustART, imagenet_s_gen.py. Differs from the paper: the geometry is the model's, and its sizes are whole numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from bitproof.core import DataError, Geometry, SpecError
from bitproof.noises.system.checks import MAX_PIXELS, Picture, check_picture


def center_crop(image: Picture, size: int) -> Picture:
    """Return a copy of the middle ``size`` × ``size`` pixels of H×W×3, H, W ≥ ``size``.

    top = round((H − size) / 2), left = round((W − size) / 2), halves to even: torchvision's CenterCrop.
    """
    top, left = (round((side - size) / 2) for side in image.shape[:2])
    return image[top : top + size, left : left + size].copy()


def shifted(image: Picture, offset: float) -> tuple[Picture, tuple[float, float, float, float]]:
    """Return H×W×3 with its edges repeated outward, and the box (left, top, right, bottom; px) that lies ``offset`` px off H×W."""
    border = math.ceil(abs(offset))
    height, width = image.shape[:2]
    start = border + offset
    wide = np.pad(image, ((border, border), (border, border), (0, 0)), mode="edge")
    return wide, (start, start, start + width, start + height)


def interpolated(image: Picture, height: int, width: int, mode: str, antialias: bool) -> Picture:
    """uint8 H×W×3 → uint8 height×width×3: interpolated in float32, clipped to [0, 255], rounded half to even."""
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float()
    y: Any = F.interpolate(x, (height, width), mode=mode, align_corners=False, antialias=antialias)
    scaled: Picture = y[0].clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return scaled


@dataclass(frozen=True)
class _Resize(ABC):
    """Scales and crops; a subclass only scales."""

    mode: str | None = None
    resize: int | None = None

    site: ClassVar[str] = "resize"
    family: ClassVar[str] = "system"
    kinds: ClassVar[tuple[str, ...]] = ("image", "vqa")
    source: ClassVar[str] = "RobustART, imagenet_s_gen.py (DIG-Beihang/RobustART@068a4fd); SysNoise (MLSys 2023) Sec 3.4"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.mode not in (None, "shorter", "square"):
            raise SpecError(f"The mode {self.mode!r} is unknown: shorter or square; without one, the model's own.")
        if self.resize is not None and self.resize < 1:
            raise SpecError(f"resize={self.resize} is no size in px: 1 or more.")

    def __call__(self, image: Picture, geometry: Geometry) -> Picture:
        """Bring one picture to the model's size: uint8 H×W×3 → uint8 size×size×3 (of mode longer at most), a new array.

        A picture that already has its scaled size is only cropped, unless the box is shifted.
        Raises ShapeError on another shape or dtype, DataError where a very long, narrow picture would be scaled to too many pixels,
        SpecError where ``resize`` is smaller than the crop.
        """
        image, geometry = check_picture(image), self.geometry(geometry)
        height, width = geometry.scaled(*image.shape[:2])
        if height * width > MAX_PIXELS:
            raise DataError(
                f"A picture of {image.shape[0]} × {image.shape[1]} pixels (height × width) would be scaled to {height} × {width}; "
                f"allowed are {MAX_PIXELS} pixels. Take the geometry mode 'square', or leave it out of the data."
            )
        if self._moves or (height, width) != image.shape[:2]:
            image = self._scale(image, height, width)
        return image.copy() if geometry.mode == "longer" else center_crop(image, geometry.size)

    def geometry(self, own: Geometry) -> Geometry:
        """Return the model's ``own`` geometry with what this resizer brings. Raises SpecError where the crop does not fit."""
        return replace(own, mode=self.mode or own.mode, resize=self.resize or own.resize)

    @property
    def _moves(self) -> bool:
        """Whether a picture of the right size is still changed."""
        return False

    @abstractmethod
    def _scale(self, image: Picture, height: int, width: int) -> Picture: ...


@dataclass(frozen=True)
class _Pil(_Resize):
    """The source box lies ``offset`` px to the right of and below the picture, whose edges are repeated outward.

    Negative is left and above; half a pixel is what two conventions for pixel centres disagree by.
    """

    offset: float = 0.0

    filter: ClassVar[Image.Resampling]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -16 <= self.offset <= 16:
            raise SpecError(f"offset={self.offset} px is out of range: −16 to 16.")

    @property
    def _moves(self) -> bool:
        return self.offset != 0

    def _scale(self, image: Picture, height: int, width: int) -> Picture:
        image, box = shifted(image, self.offset)
        return np.asarray(Image.fromarray(image).resize((width, height), self.filter, box=box))


@dataclass(frozen=True)
class _Cv(_Resize):
    interpolation: ClassVar[int]

    def _scale(self, image: Picture, height: int, width: int) -> Picture:
        return np.asarray(cv2.resize(image, (width, height), interpolation=self.interpolation), dtype=np.uint8)


@dataclass(frozen=True)
class _Torch(_Resize):
    antialias: bool = True

    source: ClassVar[str] = "torchvision's resize of tensors (pytorch/vision); SysNoise (MLSys 2023) Sec 3.4"
    interpolation: ClassVar[str]

    def _scale(self, image: Picture, height: int, width: int) -> Picture:
        return interpolated(image, height, width, self.interpolation, self.antialias)


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


@dataclass(frozen=True)
class TorchBilinear(_Torch):
    """torch, triangle filter on a float32 tensor; ``antialias`` widens it when it shrinks, like Pillow; else as OpenCV."""

    interpolation: ClassVar[str] = "bilinear"


@dataclass(frozen=True)
class TorchCubic(_Torch):
    """torch, cubic filter on a float32 tensor, a = −0.5 with ``antialias``, a = −0.75 and aliasing without."""

    interpolation: ClassVar[str] = "bicubic"
