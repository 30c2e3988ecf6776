"""What happens to a sticker between the printer and the network: turned, scaled, sheared, shifted, brighter or darker."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from bitproof.core import SpecError


@dataclass(frozen=True)
class Moves:
    """Ranges of a random photograph, each symmetric about doing nothing.

    ``rotate`` and ``shear`` in degrees, ``scale`` and ``shift`` as shares (of 1, of the side), ``brightness`` as a share.
    """

    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("rotate", 180.0), ("shear", 45.0), ("scale", 0.9), ("shift", 1.0), ("brightness", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise SpecError(f"{name}={getattr(self, name)} is out of range: 0 to {most:g}.")

    @property
    def still(self) -> bool:
        """Whether nothing is moved."""
        return not (self.rotate or self.scale or self.shear or self.shift)


def matrices(moves: Moves, n: int, generator: Generator) -> Tensor:
    """Draw n affine maps of the plane, N×2×3, in the coordinates of ``affine_grid`` (−1 to 1)."""

    def between(most: float, *shape: int) -> Tensor:
        return (2 * torch.rand(n, *shape, generator=generator) - 1) * most

    turn, lean, scale = between(math.radians(moves.rotate)), between(math.radians(moves.shear)).tan(), 1 + between(moves.scale)
    turned = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(n, 2, 2)
    sheared = torch.eye(2).repeat(n, 1, 1)
    sheared[:, 0, 1] = lean
    shift = between(2 * moves.shift, 2, 1)
    return torch.cat([turned @ sheared / scale[:, None, None], shift], dim=2)


def moved(x: Tensor, theta: Tensor, padding: str = "reflection") -> Tensor:
    """Warp N×C×S×S by N×2×3, bilinear; differentiable in ``x``."""
    grid = F.affine_grid(theta.to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode=padding, align_corners=False)


def photographed(x: Tensor, moves: Moves, generator: Generator) -> Tensor:
    """Return x, N×3×S×S in [0, 1], as a camera may see it: moved, then lit by a factor of 1 ± brightness."""
    seen = x if moves.still else moved(x, matrices(moves, len(x), generator))
    light = 1 + (2 * torch.rand(len(x), 1, 1, 1, generator=generator) - 1) * moves.brightness
    return (seen * light.to(x)).clamp(0, 1) if moves.brightness else seen
