"""``rain``: vehicles on a street in rain and haze, to be counted."""

from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np

from bitproof.core import seed
from bitproof.noises import corrupt
from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Colour
from tools.vqa_pack.record import Scene, number
from tools.vqa_pack.shapes import COLOURS
from tools.vqa_pack.vehicles import VEHICLES

WIDTH, HEIGHT, COUNT = 304, 228, 56
LANES = ((148, 56), (216, 70))  # where wheels stand and a car's length, px: the far lane and the near one
WALLS: tuple[Colour, ...] = ((190, 150, 120), (205, 190, 165), (160, 165, 175), (180, 120, 105), (210, 200, 190))
TONES = [COLOURS[name] for name in ("red", "orange", "yellow", "green", "blue")] + [(235, 235, 235)]
PHRASINGS = (
    "How many vehicles are on the road? Count cars, vans, buses and lorries.",
    "Count all motor vehicles in this street.",
    "What is the number of cars, vans, buses and lorries in the picture, taken together?",
)


def scenes() -> list[Scene]:
    """Return 56 streets with none to six vehicles, each number equally often."""
    return [_scene(i, n) for i, n in enumerate(draws.deal(range(7), COUNT, draws.dice("rain")))]


def _scene(i: int, count: int) -> Scene:
    rng = draws.dice("rain", i)
    canvas = Canvas(WIDTH, HEIGHT, textures.gradient(HEIGHT, WIDTH, (150, 160, 172), (188, 194, 200)))
    _street(canvas, rng)
    for lane, number_there in enumerate(_split(rng, count)):
        _queue(canvas, rng, lane, number_there)
    dry = canvas.pixels()
    hazy = corrupt(dry, f"fog:{rng.choice((1, 2))}", seed("vqa-pack", draws.VERSION, "rain", i))
    wet = rain(hazy, draws.noise("rain", i), rng.choice((0.5, 0.75, 1.0)), rng.uniform(-14, 14))
    return Scene(f"{i:02d}", wet, (number("vehicles", PHRASINGS, count),), quality=72)


def _split(rng: random.Random, count: int) -> tuple[int, int]:
    far = rng.randint(max(0, count - 3), min(3, count))
    return far, count - far


def _street(canvas: Canvas, rng: random.Random) -> None:
    pen, x = canvas.pen(), -10.0
    while x < WIDTH:
        wide, top, wall = rng.uniform(48, 80), rng.uniform(22, 56), rng.choice(WALLS)
        pen.box(x, top, x + wide, 118, wall)
        for u in np.arange(x + 8, x + wide - 14, 19):
            for v in np.arange(top + 8, 100, 24):
                pen.box(u, v, u + 9, v + 12, (96, 110, 126))
        x += wide
    pen.box(0, 112, WIDTH, 124, (150, 150, 148))
    pen.box(0, 124, WIDTH, HEIGHT, (84, 86, 90))
    for u in range(-10, WIDTH, 44):
        pen.box(u, 164, u + 24, 167, (220, 220, 215))


def _queue(canvas: Canvas, rng: random.Random, lane: int, count: int) -> None:
    """Stand ``count`` vehicles in a lane, one behind the other with gaps between."""
    wheels, car = LANES[lane]
    kinds = (
        rng.sample(["car", "car", "van", "bus", "lorry"], count) if count < 3 else rng.sample(["car", "car", "van", "car"], count)
    )
    lengths = [car * VEHICLES[kind][1] for kind in kinds]
    free = WIDTH - 16 - sum(lengths)
    cuts = sorted(rng.uniform(0, 1) for _ in kinds)
    gaps = np.diff([0, *cuts, 1]) * (free - 10 * count) + 10
    x = 4.0
    for kind, length, gap in zip(kinds, lengths, gaps, strict=False):
        x += gap
        VEHICLES[kind][0](canvas.pen(x + length / 2, wheels - 0.27 * length, length, flip=lane == 0), rng.choice(TONES))
        x += length


def rain(pixels: Any, rng: np.random.Generator, strength: float, slant: float) -> Any:
    """Return the picture behind streaks: sparse drops drawn out along a line ``slant`` degrees off the vertical, brightened."""
    height, width = pixels.shape[:2]
    drops = np.float32(rng.random((height, width)) < 0.012 * strength)
    long = 19
    kernel = np.zeros((long, long), np.float32)
    dx = np.tan(np.radians(slant)) * (long // 2)
    cv2.line(kernel, (round(long // 2 - dx), 0), (round(long // 2 + dx), long - 1), 1.0, 1, cv2.LINE_AA)
    streaks = cv2.GaussianBlur(np.clip(cv2.filter2D(drops, -1, kernel), 0, 1), (0, 0), 0.6)[..., None]
    return np.uint8(np.rint(pixels * (1 - 0.5 * streaks) + 235 * 0.5 * streaks))
