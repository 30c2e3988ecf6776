"""``camouflage``: an animal in the pattern of its ground, or none; decoy stones lie in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.animals import ANIMALS
from tools.vqa_pack.canvas import Canvas, Colour, Pen
from tools.vqa_pack.record import Question, Scene, choice, yes_no

SIDE, PAIRS = 272, 28
HIDDEN = ("fish", "bird", "butterfly", "cat", "snail", "tortoise")
TONES: tuple[tuple[Colour, ...], ...] = (
    ((70, 84, 44), (104, 112, 60), (140, 140, 88), (58, 62, 40)),
    ((150, 122, 84), (182, 152, 108), (120, 94, 64), (204, 180, 138)),
    ((96, 96, 92), (128, 128, 120), (74, 76, 74), (156, 154, 146)),
    ((112, 74, 44), (146, 100, 58), (84, 58, 40), (170, 128, 84)),
)
THERE = (
    "Is an animal hidden in this picture?",
    "Look closely: does a camouflaged animal lie on this ground?",
    "Can you make out an animal here?",
)
WHICH = ("Which animal is hidden in the picture?", "Name the camouflaged animal.", "What animal blends into the ground here?")


def scenes() -> list[Scene]:
    """Return 28 pairs of the same ground; in one of each an animal is hidden, and which is asked as well."""
    kinds = draws.deal(HIDDEN, PAIRS, draws.dice("camouflage"))
    return [scene for i, kind in enumerate(kinds) for scene in _pair(i, kind)]


def pattern(rng: np.random.Generator, tones: tuple[Colour, ...], cell: float) -> Any:
    """Return a ground of blots in four tones, uint8 side×side×3."""
    masks = [textures.clouds(rng, SIDE, SIDE, cell, 3, 0.6) for _ in tones]
    highest = np.argmax(masks, axis=0)
    flat = np.array(tones, np.uint8)[highest]
    grain = textures.clouds(rng, SIDE, SIDE, 5, 1)
    return textures.light_up(cv2.GaussianBlur(flat, (0, 0), 0.9), 0.92 + 0.16 * grain)


def mask_of(draw: Callable[[Pen], None], *at: Any) -> Any:
    """Return where ``draw`` leaves a mark with the pen that ``at`` sets, bool side×side."""
    canvas = Canvas(SIDE, SIDE, (255, 0, 255))
    draw(canvas.pen(*at))
    return (np.abs(canvas.pixels().astype(int) - (255, 0, 255)).sum(axis=2) > 200).astype(np.uint8)


def _oval(half: float) -> Callable[[Pen], None]:
    return lambda pen: pen.oval(0, 0, 0.5, half, (0, 0, 0))


def relief(mask: Any, height: float) -> Any:
    """Return the gain that makes ``mask`` bulge under light from the upper left, about 1."""
    bulge = cv2.GaussianBlur(np.float32(np.minimum(cv2.distanceTransform(mask, cv2.DIST_L2, 5), 9)), (0, 0), 1.6)
    slope = cv2.Sobel(bulge, -1, 1, 0, ksize=3) + cv2.Sobel(bulge, -1, 0, 1, ksize=3)
    below = cv2.GaussianBlur(np.float32(np.roll(mask, (3, 3), (0, 1)) * (1 - mask)), (0, 0), 1.4)
    return 1 + height * slope * mask - 1.8 * height * below


def _pair(i: int, kind: str) -> list[Scene]:
    rng, noise = draws.dice("camouflage", i), draws.noise("camouflage", i)
    tones, cell = rng.choice(TONES), rng.uniform(22, 36)
    ground, coat = pattern(noise, tones, cell), pattern(noise, tones, cell)
    size = rng.uniform(118, 146)
    sizes = [size, *(rng.uniform(26, 44) for _ in range(4))]
    (x, y), *stones = draws.places(rng, sizes, SIDE, SIDE, 2)
    for (u, v), wide in zip(stones, sizes[1:], strict=True):
        half = 0.5 * rng.uniform(0.55, 0.8)
        stone = mask_of(_oval(half), u, v, wide)
        ground = textures.light_up(ground, relief(stone, 0.035))
    turn, flip = rng.uniform(-15, 15), rng.random() < 0.5
    animal = mask_of(lambda pen: ANIMALS[kind][0](pen, (0, 0, 0)), x, y, size, turn, flip)
    animal = cv2.morphologyEx(animal, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    hidden = textures.light_up(np.where(animal[..., None] > 0, coat, ground), relief(animal, 0.045))
    ask: tuple[Question, ...] = (yes_no("there", THERE, True), choice("which", WHICH, kind, HIDDEN))
    return [Scene(f"{i:02d}-with", hidden, ask), Scene(f"{i:02d}-without", ground, (yes_no("there", THERE, False),))]
