"""A pattern as a PNG file: 8 bits a colour, transparent where it does not lie."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bitproof.core import DataError


def write_picture(pattern: Tensor, mask: Tensor) -> bytes:
    """3×S×S in [0, 1] and S×S bool → the bytes of a PNG file, RGBA; what lies outside of the mask is black."""
    colors = (pattern.clamp(0, 1) * mask * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    alpha = mask.to(torch.uint8).numpy()[..., None] * np.uint8(255)
    file = io.BytesIO()
    Image.fromarray(np.concatenate([colors, alpha], axis=2)).save(file, "PNG", optimize=True)
    return file.getvalue()


def read_picture(data: bytes, name: str) -> tuple[Tensor, Tensor]:
    """Return (3×S×S in [0, 1], S×S bool). Raises DataError naming the file."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:  # Pillow raises a dozen kinds
        raise DataError(f"{name!r} cannot be read as a picture: {error}.") from None
    if image.mode != "RGBA" or image.width != image.height:
        found = f"{image.mode} {image.width}×{image.height}"
        raise DataError(f"{name!r} is no patch: a square RGBA picture was expected, transparent outside of it; found {found}.")
    pixels = torch.tensor(np.array(image)).permute(2, 0, 1)
    return pixels[:3].float() / 255, pixels[3] > 127
