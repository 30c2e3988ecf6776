"""Drawing: filled shapes on a canvas that is rendered at three times its size and averaged down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCALE = 3
Colour = tuple[int, ...]  # red, green, blue, 0 to 255
Point = tuple[float, float]


class Canvas:
    """A picture in the making; coordinates are pixels of the finished one, x to the right, y down."""

    def __init__(self, width: int, height: int, background: Colour | Any = (255, 255, 255)) -> None:
        size = (width * SCALE, height * SCALE)
        self.width, self.height = width, height
        if isinstance(background, np.ndarray):
            self.image = Image.fromarray(background).resize(size, Image.Resampling.BICUBIC)
        else:
            self.image = Image.new("RGB", size, background)

    def pen(self, x: float = 0, y: float = 0, size: float = 1, turn: float = 0, flip: bool = False) -> Pen:
        """Return a pen at (x, y) with the unit ``size`` px, turned by ``turn`` degrees, mirrored by ``flip``."""
        return Pen(self.image, x, y, size, math.radians(turn), flip)

    def fill(self, texture: Any, points: Iterable[Point]) -> None:
        """Lay ``texture`` (uint8 height×width×3) over the polygon."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon([(x * SCALE, y * SCALE) for x, y in points], fill=255)
        self.image.paste(Image.fromarray(texture).resize(self.image.size, Image.Resampling.BICUBIC), mask=mask)

    def pixels(self) -> Any:
        """Return the finished picture, uint8 height×width×3."""
        return np.asarray(self.image.reduce(SCALE))


@dataclass(frozen=True)
class Pen:
    """Draws in its own frame: (0, 0) is its place, 1 its size; every shape is a polygon, so a turn costs nothing."""

    image: Image.Image
    x: float
    y: float
    size: float
    turn: float
    flip: bool

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        """Pillow's own pen, in rendered pixels."""
        return ImageDraw.Draw(self.image)

    def at(self, u: float, v: float) -> Point:
        """Return where the pen's (u, v) lies on the finished picture, px."""
        u = -u if self.flip else u
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        return self.x + self.size * (u * cos - v * sin), self.y + self.size * (u * sin + v * cos)

    def _dots(self, points: Iterable[Point]) -> list[Point]:
        return [(x * SCALE, y * SCALE) for x, y in (self.at(u, v) for u, v in points)]

    def polygon(self, points: Iterable[Point], fill: Colour) -> None:
        """Fill the polygon."""
        self.draw.polygon(self._dots(points), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """Fill the rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def oval(self, u: float, v: float, a: float, b: float, fill: Colour, start: float = 0, end: float = 360) -> None:
        """Fill the ellipse about (u, v) with half axes a, b; with ``start`` and ``end``, degrees clockwise, the segment cut off."""
        self.polygon(arc(u, v, a, b, start, end), fill)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """Draw the line, ``width`` in units of the pen, with round ends."""
        wide = max(1, round(width * self.size * SCALE))
        dots = self._dots(points)
        self.draw.line(dots, fill=fill, width=wide, joint="curve")
        for x, y in (dots[0], dots[-1]):
            self.draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=fill)

    def curve(self, points: Sequence[Point], fill: Colour) -> None:
        """Fill the closed smooth outline through ``points``."""
        self.polygon(smooth(points), fill)

    def clip(self, points: Iterable[Point], below: Image.Image) -> None:
        """Put ``below`` back outside the polygon: what was drawn since ends at its outline."""
        mask = Image.new("L", self.image.size, 255)
        ImageDraw.Draw(mask).polygon(self._dots(points), fill=0)
        self.image.paste(below, mask=mask)

    def text(self, u: float, v: float, words: str, height: float, fill: Colour, bold: float = 0) -> None:
        """Write ``words`` about (u, v), upright, ``height`` and the weight ``bold`` in units of the pen."""
        x, y = self.at(u, v)
        font = ImageFont.load_default(size=height * self.size * SCALE)
        stroke = round(bold * self.size * SCALE)
        self.draw.text((x * SCALE, y * SCALE), words, fill, font, anchor="mm", stroke_width=stroke, stroke_fill=fill)


def arc(u: float, v: float, a: float, b: float, start: float = 0, end: float = 360) -> list[Point]:
    """Return points on the ellipse about (u, v) from ``start`` to ``end``, degrees clockwise from the right."""
    steps = np.radians(np.linspace(start, end, 49))
    return [(u + a * math.cos(t), v + b * math.sin(t)) for t in steps]


def smooth(points: Sequence[Point], closed: bool = True, per: int = 10) -> list[Point]:
    """Return the Catmull–Rom curve through ``points``, ``per`` points a piece."""
    p = np.asarray(points, dtype=np.float64)
    padded = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, per, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return [(float(x), float(y)) for x, y in np.vstack([*pieces, padded[-2 if closed else -1 :][:1]])]


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour darker (factor below 1) or lighter (above: towards white)."""
    if factor <= 1:
        return tuple(round(c * factor) for c in colour)
    return tuple(round(255 - (255 - c) * (2 - factor)) for c in colour)
