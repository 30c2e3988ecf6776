"""Plain shapes, their colours and patterns."""

from __future__ import annotations

import math
from collections.abc import Callable

from tools.vqa_pack.canvas import Colour, Pen, Point, arc

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (252, 212, 20),
    "green": (40, 150, 60),
    "blue": (35, 90, 215),
    "purple": (130, 50, 170),
    "brown": (122, 72, 35),
    "black": (25, 25, 28),
}
PATTERNS = ("plain", "striped", "dotted", "chequered")


def _regular(corners: int, first: float = -90) -> list[Point]:
    angles = [math.radians(first + 360 * i / corners) for i in range(corners)]
    return [(0.5 * math.cos(a), 0.5 * math.sin(a)) for a in angles]


def _star() -> list[Point]:
    radii = [0.5 if i % 2 == 0 else 0.21 for i in range(10)]
    return [(r * math.cos(math.radians(36 * i - 90)), r * math.sin(math.radians(36 * i - 90))) for i, r in enumerate(radii)]


def _cross() -> list[Point]:
    a, b = 0.16, 0.48
    quarter = [(a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b)]
    return quarter + [(-x, -y) for x, y in quarter]


def _heart() -> list[Point]:
    steps = [math.radians(5 * i) for i in range(72)]
    wave = [(16 * math.sin(t) ** 3, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) for t in steps]
    return [(x / 34, -y / 34 - 0.06) for x, y in wave]


def _crescent() -> list[Point]:
    inner = [(x, y) for x, y in arc(0.2, 0, 0.4, 0.4, 285, 75)]
    return arc(0, 0, 0.5, 0.5, 50, 310) + inner


#: Shape → outline in the pen's unit, and how else people call it.
SHAPES: dict[str, tuple[list[Point], tuple[str, ...]]] = {
    "circle": (arc(0, 0, 0.46, 0.46), ("round", "disc", "disk", "circular")),
    "square": ([(-0.4, -0.4), (0.4, -0.4), (0.4, 0.4), (-0.4, 0.4)], ("box",)),
    "triangle": (_regular(3), ("triangular",)),
    "star": (_star(), ("five-pointed star",)),
    "cross": (_cross(), ("plus", "plus sign", "plus shape")),
    "heart": (_heart(), ("heart shape", "love heart")),
    "hexagon": (_regular(6), ("hexagonal",)),
    "crescent": (_crescent(), ("moon", "half moon", "crescent moon")),
}


def _stripes(pen: Pen, light: Colour) -> None:
    for i in range(-3, 4):
        pen.box(-0.6, 0.16 * i - 0.035, 0.6, 0.16 * i + 0.035, light)


def _dots(pen: Pen, light: Colour) -> None:
    for i in range(-3, 4):
        for j in range(-3, 4):
            pen.oval(0.17 * i + 0.085 * (j % 2), 0.15 * j, 0.045, 0.045, light)


def _chequers(pen: Pen, light: Colour) -> None:
    for i in range(-4, 5):
        for j in range(-4 + i % 2, 5, 2):
            pen.box(0.13 * i, 0.13 * j, 0.13 * (i + 1), 0.13 * (j + 1), light)


_DRAWN: dict[str, Callable[[Pen, Colour], None]] = {"striped": _stripes, "dotted": _dots, "chequered": _chequers}


def draw(pen: Pen, shape: str, colour: Colour, pattern: str = "plain") -> None:
    """Draw a shape; a pattern is white on its colour and ends at its outline."""
    outline = SHAPES[shape][0]
    pen.polygon(outline, colour)
    if pattern in _DRAWN:
        below = pen.image.copy()
        _DRAWN[pattern](pen, (255, 255, 255))
        pen.clip(outline, below)
        pen.line([*outline, outline[0]], 0.03, colour)
