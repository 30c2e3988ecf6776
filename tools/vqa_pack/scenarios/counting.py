"""``counting``: shoals of 5 to 60 fish under water, and carpets of squares."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.animals import fish
from tools.vqa_pack.canvas import Canvas, Colour
from tools.vqa_pack.record import Scene, number
from tools.vqa_pack.shapes import COLOURS

SIDE, SHOALS, CARPETS = 304, 44, 16
TOLERANCE = 0.1
FISHY = (
    "How many fish are swimming in this picture?",
    "Count the fish of this shoal.",
    "What is the number of fish in the picture?",
)
SQUARE = (
    "How many small squares does the pattern of this carpet have?",
    "Count the squares that are woven into the carpet.",
    "What is the number of squares in this carpet's pattern?",
)
SEAS: tuple[tuple[Colour, Colour], ...] = (
    ((120, 200, 220), (20, 90, 130)),
    ((110, 190, 180), (16, 86, 96)),
    ((140, 190, 235), (30, 70, 140)),
)


def scenes() -> list[Scene]:
    """Return 44 shoals, their sizes spread evenly on a logarithmic scale, and 16 carpets."""
    steps = [round(5 * 12 ** (i / (SHOALS - 1))) for i in range(SHOALS)]
    shoals = [_shoal(f"shoal-{i:02d}", n) for i, n in enumerate(steps)]
    sizes = [(rows, columns) for rows in (2, 3, 4, 5) for columns in (3, 5, 6, 8)]
    return shoals + [_carpet(f"carpet-{i:02d}", *size) for i, size in enumerate(sizes[:CARPETS])]


def _shoal(name: str, count: int) -> Scene:
    rng, noise = draws.dice("counting", name), draws.noise("counting", name)
    water = textures.gradient(SIDE, SIDE, *rng.choice(SEAS))
    rays = cv2.GaussianBlur(np.tile(noise.random((1, SIDE), dtype=np.float32), (SIDE, 1)), (0, 0), 9)
    canvas = Canvas(SIDE, SIDE, textures.light_up(water, 0.9 + 0.6 * (rays - rays.min())))
    size = min(58.0, math.sqrt(0.42 * SIDE**2 / count))
    tone, left = rng.choice(("orange", "yellow", "red")), rng.random() < 0.5
    for x, y in draws.places(rng, [size] * count, SIDE, SIDE, 0.5):
        away = left if rng.random() < 0.9 else not left
        fish(canvas.pen(x, y, size * rng.uniform(0.84, 1.0), rng.uniform(-18, 18), away), COLOURS[tone])
    return Scene(name, canvas.pixels(), (number("count", FISHY, count, TOLERANCE),))


def _carpet(name: str, rows: int, columns: int) -> Scene:
    rng, noise = draws.dice("counting", name), draws.noise("counting", name)
    ground, mark, rim = (COLOURS[c] for c in rng.sample(["red", "blue", "green", "purple", "brown"], 3))
    canvas = Canvas(SIDE, SIDE, textures.wood(noise, SIDE, SIDE, (196, 160, 118), (214, 180, 138)))
    step = min(250 / columns, 250 / rows, 60)
    wide, high = columns * step / 2 + 10, rows * step / 2 + 10
    pen = canvas.pen(SIDE / 2, SIDE / 2, 1, rng.uniform(-4, 4))
    pen.box(-wide - 6, -high - 6, wide + 6, high + 6, rim)
    pen.box(-wide, -high, wide, high, tuple((c + 255) // 2 for c in ground))
    for row in range(rows):
        for column in range(columns):
            u, v = (column - (columns - 1) / 2) * step, (row - (rows - 1) / 2) * step
            pen.box(u - 0.3 * step, v - 0.3 * step, u + 0.3 * step, v + 0.3 * step, mark)
    weave = 1 + 0.05 * np.sin(np.arange(SIDE) * 2.1)[:, None] * np.sin(np.arange(SIDE) * 2.1)[None]
    return Scene(name, textures.light_up(canvas.pixels(), weave), (number("count", SQUARE, rows * columns, TOLERANCE),))
