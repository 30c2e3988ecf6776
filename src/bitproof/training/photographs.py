"""Crops of any size and shifted colours, as networks for photographs are trained; every sample draws from its own seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional

#: Share of the picture's area that a crop has, and its ratio of width to height.
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)

_TRIES = 10


def resized_crops(x: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Return of each picture a random part, scaled to the picture's size, and flipped with probability 1/2.

    Area and log ratio are uniform in ``AREA`` and ``RATIO``; the tenth draw that does not fit gives way to the largest square.
    Bilinear with antialiasing. Shapes: N×C×H×W → the same, any dtype.

    Source: arXiv 1409.4842, section 6 (as torchvision's RandomResizedCrop).
    Differs from the paper: it is cut from the picture as the network takes it, not from the file.
    """
    return torch.stack([_resized_crop(picture, generator) for picture, generator in zip(x, generators, strict=True)])


def _resized_crop(picture: Tensor, generator: Generator) -> Tensor:
    height, width = picture.shape[-2:]
    top, left, rows, columns = _box(height, width, generator)
    crop = functional.resized_crop(picture, top, left, rows, columns, [height, width], antialias=True)
    flipped: Tensor = crop.flip(-1) if _uniform(generator, 0, 1) < 0.5 else crop
    return flipped


def _box(height: int, width: int, generator: Generator) -> tuple[int, int, int, int]:
    for _ in range(_TRIES):
        area = height * width * _uniform(generator, *AREA)
        ratio = math.exp(_uniform(generator, *map(math.log, RATIO)))
        rows, columns = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < rows <= height and 0 < columns <= width:
            return _below(generator, height - rows), _below(generator, width - columns), rows, columns
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def jittered(x: Tensor, amount: float, generators: Sequence[Generator]) -> Tensor:
    """Return the pictures with brightness, contrast, saturation and hue shifted, in an order of each picture's own.

    The first three are multiplied by a factor from [1 − amount, 1 + amount], the hue turns by a share of the circle from
    [−amount/2, amount/2]. Shapes: N×3×H×W, uint8 or float in [0, 1] → the same.

    Source: ColorJitter(amount, amount, amount, amount/2) of torchvision; with 0.2 it is ModelTC/mqbench-paper's.
    """
    return torch.stack([_jittered(picture, amount, generator) for picture, generator in zip(x, generators, strict=True)])


def _jittered(picture: Tensor, amount: float, generator: Generator) -> Tensor:
    factors = [_uniform(generator, 1 - amount, 1 + amount) for _ in range(3)]
    turn = _uniform(generator, -amount / 2, amount / 2)
    steps: list[Callable[[Tensor], Tensor]] = [
        lambda p: functional.adjust_brightness(p, factors[0]),
        lambda p: functional.adjust_contrast(p, factors[1]),
        lambda p: functional.adjust_saturation(p, factors[2]),
        lambda p: functional.adjust_hue(p, turn),
    ]
    for index in torch.randperm(len(steps), generator=generator).tolist():
        picture = steps[index](picture)
    return picture


def _uniform(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _below(generator: Generator, most: int) -> int:
    return int(torch.randint(most + 1, (), generator=generator))
