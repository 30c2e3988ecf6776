"""Purification: the picture is simplified before the network sees it, whatever is on it. Nobody needs to know the class."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from bitproof.core import Batches, SpecError, Victim
from bitproof.defenses.patch import check_at, check_least


def straight_through(x: Tensor, y: Tensor) -> Tensor:
    """The value of ``y`` with the derivative of the identity in ``x``. Source: arXiv 1802.00420 §4.1 (BPDA)."""
    return x + (y - x).detach()


def compressed(x: Tensor, quality: int) -> Tensor:
    """Each picture written as JPEG, chroma 4:2:0, and read back: N×3×S×S in [0, 1] → the same."""
    pictures = (x.detach().cpu() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    read = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        read.append(np.asarray(Image.open(file)))
    return torch.tensor(np.stack(read)).permute(0, 3, 1, 2).to(x) / 255


def denoised(x: Tensor, weight: float, steps: int) -> Tensor:
    """argmin_z ½‖z − x‖² + weight·TV(z) by ``steps`` of projected gradient on the dual; N×C×S×S, each channel by itself.

    z = x + div p, p ← (p − τ∇z) / (1 + τ|∇z|/weight), τ = ¼. Differentiable in ``x``.
    """
    p = torch.zeros(2, *x.shape, dtype=x.dtype, device=x.device)
    z = x
    for _ in range(steps):
        gradient = torch.stack([F.pad(z.diff(dim=2), (0, 0, 0, 1)), F.pad(z.diff(dim=3), (0, 1))])
        length = (gradient.square().sum(dim=0) + 1e-20).sqrt()
        p = (p - 0.25 * gradient) / (1 + 0.25 / weight * length)
        z = x + _divergence(p)
    return z.clamp(0, 1)


def _divergence(p: Tensor) -> Tensor:
    """The negative adjoint of the forward differences."""
    down, right = -p[0], -p[1]
    down = down + F.pad(p[0][:, :, :-1], (0, 0, 1, 0))
    return down + right + F.pad(p[1][:, :, :, :-1], (1, 0))


def resized(x: Tensor, side: int, top: int, left: int) -> Tensor:
    """Return x shrunk to ``side`` px on a black canvas of its own size, at (top, left)."""
    size = x.shape[-1]
    small = F.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return F.pad(small, (left, size - side - left, top, size - side - top))


@dataclass(frozen=True)
class Purifier(ABC):
    """What all purifications share.

    Args: at: ``after`` the corruption, which an attacker then differentiates through, or ``before`` it.
    """

    at: str = "after"

    site: ClassVar[str] = "image"
    fitted: ClassVar[bool] = False
    knows_label: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_at(self.at)

    def fit(self, victims: Sequence[Victim], batches: Batches) -> Self:
        """Nothing to fit."""
        return self

    def shown(self, label: int, seed: int) -> int | None:
        """No class is given away."""
        return None

    @abstractmethod
    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Purify N×3×S×S in [0, 1]."""


@dataclass(frozen=True)
class Jpeg(Purifier):
    """JPEG: fine structure is lost, that of an attack with it.

    y = decode(encode(x, quality)), chroma 4:2:0; N×3×S×S → N×3×S×S. Backward: the identity (BPDA).
    Raises SpecError for a quality outside 1 to 95. Source: arXiv 1608.00853; arXiv 1711.00117. Differs from the paper: nothing.
    """

    quality: int = 75

    source: ClassVar[str] = "arXiv 1711.00117"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self, "quality", 1, 95)

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Compress."""
        return straight_through(x, compressed(x, self.quality))


@dataclass(frozen=True)
class BitDepth(Purifier):
    """Bit-depth reduction: fewer levels of each colour.

    y = round(x·(2^bits − 1))/(2^bits − 1); N×3×S×S → N×3×S×S. Backward: the identity (BPDA).
    Raises SpecError for bits outside 1 to 7. Source: arXiv 1704.01155 §III. Differs from the paper: nothing.
    """

    bits: int = 3

    source: ClassVar[str] = "arXiv 1704.01155"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self, "bits", 1, 7)

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Round."""
        top = 2**self.bits - 1
        return straight_through(x, (x * top).round() / top)


@dataclass(frozen=True)
class TotalVariation(Purifier):
    """Total variation: the nearest picture of few edges.

    y = argmin_z ½‖z − x‖² + weight·TV(z), isotropic, by ``steps`` of Chambolle's iteration; N×3×S×S → N×3×S×S.
    Backward: that of the steps. Raises SpecError for settings out of range.
    Source: Chambolle, J. Math. Imaging Vis. 20 (2004) 89; as a defense arXiv 1711.00117.
    Differs from the paper: all pixels count; there a random part of them.
    """

    weight: float = 0.05
    steps: int = 20

    source: ClassVar[str] = "arXiv 1711.00117; 10.1023/B:JMIV.0000011325.36760.1e"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, "steps")
        check_least(self, "weight", least=1e-6)

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Denoise."""
        return denoised(x, self.weight, self.steps)


@dataclass(frozen=True)
class RandomResize(Purifier):
    """Random resize and padding: the picture a little smaller, somewhere on a black canvas.

    y = pad(resize(x, s)) to the side of x, s uniform in least·S to S, the place uniform; N×3×S×S → N×3×S×S.
    Backward: the true one at the same draw, so an attacker knows the draw: what stands is no luck.
    Raises SpecError for ``least`` outside 0.5 to 1. Source: arXiv 1711.01991.
    Differs from the paper: the canvas keeps the network's own size, there it grows; the attacker knows the draw.
    """

    least: float = 0.85

    draws: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 1711.01991"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self, "least", 0.5, 1)

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Shrink and place."""
        draw, size = Generator().manual_seed(seed), x.shape[-1]
        side = _between(round(self.least * size), size, draw)
        return resized(x, side, _between(0, size - side, draw), _between(0, size - side, draw))


def _between(low: int, high: int, draw: Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=draw))


def _check(settings: object, name: str, low: float, high: float) -> None:
    if not low <= getattr(settings, name) <= high:
        raise SpecError(f"{name}={getattr(settings, name)} is out of range: {low:g} to {high:g}.")
