"""Draws by name: generators, balanced hands and places that do not overlap."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from bitproof.core import seed

T = TypeVar("T")

#: Raised when the pictures are meant to change.
VERSION = 1


def dice(*name: object) -> random.Random:
    """Return the generator of what ``name`` says."""
    return random.Random(seed("vqa-pack", VERSION, *name))


def noise(*name: object) -> np.random.Generator:
    """Return the NumPy generator of what ``name`` says."""
    return np.random.default_rng(seed("vqa-pack", VERSION, "noise", *name))


def deal(values: Sequence[T], count: int, rng: random.Random) -> list[T]:
    """Return ``count`` values in a drawn order, each as often as any other, to one."""
    hand = [values[i % len(values)] for i in range(count)]
    rng.shuffle(hand)
    return hand


def places(rng: random.Random, sizes: Sequence[float], width: float, height: float, gap: float = 4) -> list[tuple[float, float]]:
    """Return centres of discs with the diameters ``sizes`` that lie in the picture ``gap`` px apart, by rejection."""
    for _ in range(400):
        found = _try(rng, sizes, width, height, gap)
        if len(found) == len(sizes):
            return found
    raise ValueError(f"{len(sizes)} discs do not fit into {width}×{height}: make them smaller.")


def _try(rng: random.Random, sizes: Sequence[float], width: float, height: float, gap: float) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for size in sizes:
        for _ in range(300):
            x, y = (rng.uniform(size / 2 + gap, side - size / 2 - gap) for side in (width, height))
            if all(math.dist((x, y), other) > (size + sizes[i]) / 2 + gap for i, other in enumerate(found)):
                found.append((x, y))
                break
        else:
            break
    return found
