"""Where a patch lies on a picture, and how it is put there."""

from __future__ import annotations

import torch
from torch import Tensor

from bitproof.core import SpecError

SHAPES = ("ring", "corner", "square")


def ring(size: int, margin: int, width: int) -> Tensor:
    """Return S×S bool: a square ring ``width`` px wide, ``margin`` px away from the border."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[margin : size - margin, margin : size - margin] = True
    inner = margin + width
    mask[inner : size - inner, inner : size - inner] = False
    return mask


def corner(size: int, margin: int, width: int) -> Tensor:
    """Return S×S bool: a square of side ``width`` px at the lower right, ``margin`` px away from the border."""
    return square(size, size - margin - width, size - margin - width, width)


def square(size: int, left: int, top: int, width: int) -> Tensor:
    """Return S×S bool: a square of side ``width`` px, ``left`` and ``top`` px away from those borders."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[top : top + width, left : left + width] = True
    return mask


def mask_of(
    shape: str, size: int, margin: int | None = None, width: int | None = None, left: int | None = None, top: int | None = None
) -> Tensor:
    """Return the mask of a patch; None stands for the published geometry at 32 px, in proportion, and for a square's middle.

    A ring: margin 1 and width 2 of 32 px; a corner: margin 1 and width 10; a square: width 10. Raises SpecError where it does not
    fit or covers all.
    """
    margin = max(1, round(size / 32)) if margin is None else margin
    width = max(1, round(size * (2 if shape == "ring" else 10) / 32)) if width is None else width
    if shape == "square":
        return _placed(size, left, top, width)
    most = (size - 1) // 2 - margin if shape == "ring" else size - max(1, margin)
    if margin < 0 or not 0 < width <= most:
        raise SpecError(
            f"A {shape} of width={width} px, {margin} px from the border, does not fit into a picture of {size}×{size} px: "
            f"width is 1 to {max(1, most)} here."
        )
    return ring(size, margin, width) if shape == "ring" else corner(size, margin, width)


def _placed(size: int, left: int | None, top: int | None, width: int) -> Tensor:
    left, top = ((size - width) // 2 if place is None else place for place in (left, top))
    if not (0 < width < size and min(left, top) >= 0 and max(left, top) + width <= size):
        raise SpecError(
            f"A square of width={width} px at left={left}, top={top} does not fit into a picture of {size}×{size} px: "
            f"width is 1 to {size - 1}, left and top are 0 to {max(0, size - width)} here."
        )
    return square(size, left, top, width)


def paste(x: Tensor, pattern: Tensor, mask: Tensor) -> Tensor:
    """Return x ⊙ (1 − M) + P ⊙ M: N×3×S×S, N×3×S×S or 3×S×S, S×S or N×1×S×S (0 to 1, or bool) → N×3×S×S."""
    if mask.dtype == torch.bool:
        return torch.where(mask, pattern, x)
    return x * (1 - mask) + pattern * mask
