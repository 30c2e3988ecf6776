"""``defects``: seven kinds of surface and part; scenes come in pairs, one sound and one with a flaw."""

from __future__ import annotations

import math
import random
from typing import Any

import cv2
import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Point, smooth
from tools.vqa_pack.record import Scene, yes_no

SIDE, PAIRS = 272, 4
PHRASINGS = (
    "Does the part in this picture have a defect?",
    "You inspect goods. Is there any flaw or damage to be seen here?",
    "Is something broken, damaged or missing on this piece?",
)


def _walk(rng: random.Random, steps: int, stride: float, sway: float) -> list[Point]:
    """Return a wandering line that stays in the picture's middle."""
    x, y, way = rng.uniform(60, 110), rng.uniform(80, 190), rng.uniform(-0.6, 0.6)
    line = [(x, y)]
    for _ in range(steps):
        way += rng.uniform(-sway, sway)
        x, y = x + stride * math.cos(way), min(max(y + stride * math.sin(way), 30), 240)
        line.append((x, y))
    return line


def scratch(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return brushed metal, with scratches."""
    canvas = Canvas(SIDE, SIDE, textures.brushed(noise, SIDE, SIDE, (120, 124, 130), (205, 208, 212)))
    for line in [_walk(rng, 5, 24, 0.35) for _ in range(2)] if flawed else []:
        canvas.pen().line([(x + 1.2, y + 1.4) for x, y in smooth(line, closed=False)], 2.2, (245, 247, 250))
        canvas.pen().line(smooth(line, closed=False), 2.2, (58, 60, 66))
    return canvas.pixels()


def dent(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return painted sheet metal with two seams, with a dent."""
    tone = rng.choice(((60, 110, 170), (170, 60, 60), (80, 130, 90)))
    sheet = textures.light_up(np.full((SIDE, SIDE, 3), tone, np.uint8), 0.85 + 0.3 * textures.clouds(noise, SIDE, SIDE, 260, 1))
    canvas = Canvas(SIDE, SIDE, sheet)
    for seam in (34, 236):
        canvas.pen().box(0, seam, SIDE, seam + 3, (40, 42, 46))
    pixels = canvas.pixels()
    if not flawed:
        return pixels
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    u, v, r = rng.uniform(90, 182), rng.uniform(95, 175), rng.uniform(26, 38)
    du, dv = (columns - u) / r, (rows - v) / (r * rng.uniform(0.75, 1))
    hollow = np.exp(-(du**2 + dv**2))
    return textures.light_up(pixels, 1 - 1.15 * hollow * -(du + dv) * 0.9 - 0.12 * hollow)


def gear(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return a toothed wheel, with a tooth broken off."""
    canvas = Canvas(SIDE, SIDE, textures.plain(noise, SIDE, SIDE, (222, 222, 216), 16))
    teeth, gap = rng.choice((12, 14, 16)), rng.randrange(12)
    pen = canvas.pen(SIDE / 2, SIDE / 2, 220, rng.uniform(0, 30))
    steel = rng.choice(((104, 110, 120), (150, 120, 70), (96, 96, 100)))
    pen.oval(0, 0, 0.38, 0.38, steel)
    for i in range(teeth):
        a, half = 2 * math.pi * i / teeth, math.pi / teeth * 0.55
        tip = 0.4 if flawed and i == gap else 0.49
        corners = [(0.36, -half), (tip, -half * 0.7), (tip, half * 0.7), (0.36, half)]
        pen.polygon([(r * math.cos(a + t), r * math.sin(a + t)) for r, t in corners], steel)
    pen.oval(0, 0, 0.26, 0.26, tuple(round(c * 1.25) for c in steel))
    pen.oval(0, 0, 0.1, 0.1, (222, 222, 216))
    return canvas.pixels()


def crack(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return glazed tiles, with a crack."""
    tone = rng.choice(((226, 232, 236), (236, 228, 206), (196, 216, 210)))
    canvas = Canvas(SIDE, SIDE, textures.plain(noise, SIDE, SIDE, tone, 20))
    for k in (90, 182):
        canvas.pen().box(k - 2, 0, k + 2, SIDE, (150, 150, 148))
        canvas.pen().box(0, k - 2, SIDE, k + 2, (150, 150, 148))
    if flawed:
        line = _walk(rng, 13, 11, 0.9)
        canvas.pen().line(line, 2, (52, 48, 46))
        x, y = line[6]
        canvas.pen().line([(x, y), (x + 14, y + 12), (x + 18, y + 27)], 1.5, (60, 56, 52))
    return canvas.pixels()


def hole(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return woven cloth, with a hole and loose threads."""
    tone = np.array(rng.choice(((90, 120, 170), (170, 110, 90), (120, 150, 110))), np.float32)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    weave = 0.82 + 0.2 * np.abs(np.sin(columns * math.pi / 8)) * ((rows // 8 + columns // 8) % 2)
    weave = weave + 0.2 * np.abs(np.sin(rows * math.pi / 8)) * ((rows // 8 + columns // 8 + 1) % 2)
    cloth = np.uint8(np.clip(weave[..., None] * tone + 10 * (noise.random((SIDE, SIDE, 1)) - 0.5), 0, 255))
    if not flawed:
        return cloth
    canvas = Canvas(SIDE, SIDE, cloth)
    u, v, r = rng.uniform(90, 182), rng.uniform(90, 182), rng.uniform(17, 26)
    rim = [
        (u + r * rng.uniform(0.75, 1.2) * math.cos(a), v + r * rng.uniform(0.75, 1.2) * math.sin(a))
        for a in np.arange(0, 6.28, 0.52)
    ]
    canvas.pen().curve(rim, (34, 30, 30))
    light = tuple(min(int(c * 1.3), 255) for c in tone)
    for x, y in rim[::2]:
        canvas.pen().line([(x, y), ((x + u) / 2 + rng.uniform(-5, 5), (y + v) / 2)], 1.6, light)
    return canvas.pixels()


def board(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return a circuit board with a grid of equal chips, of which one has come off its pads."""
    canvas = Canvas(SIDE, SIDE, textures.plain(noise, SIDE, SIDE, (36, 110, 70), 16))
    gone = rng.randrange(12) if flawed else -1
    for i in range(12):
        pen = canvas.pen(40 + 64 * (i % 4), 52 + 84 * (i // 4), 46)
        for k in range(4):
            for side in (-1, 1):
                pen.box(0.42 * side - 0.1, -0.36 + 0.2 * k, 0.42 * side + 0.1, -0.27 + 0.2 * k, (208, 196, 150))
        if i != gone:
            pen.box(-0.36, -0.45, 0.36, 0.45, (30, 31, 34))
            pen.oval(-0.24, -0.33, 0.06, 0.06, (120, 122, 126))
    for v in (94, 178):
        canvas.pen().line([(12, v), (260, v)], 2.4, (70, 150, 100))
    return canvas.pixels()


def bottles(rng: random.Random, noise: np.random.Generator, flawed: bool) -> Any:
    """Return a row of filled bottles, of which one lacks its cap."""
    canvas = Canvas(SIDE, SIDE, textures.plain(noise, SIDE, SIDE, (224, 228, 232), 16))
    canvas.pen().box(0, 226, SIDE, SIDE, (120, 124, 128))
    glass, cap = (
        rng.choice(((120, 170, 110), (150, 100, 60), (130, 170, 200))),
        rng.choice(((200, 40, 40), (40, 80, 190), (240, 190, 30))),
    )
    gone = rng.randrange(5) if flawed else -1
    for i in range(5):
        pen = canvas.pen(30 + 53 * i, 140, 176)
        pen.polygon(
            [(-0.12, 0.5), (-0.12, -0.1), (-0.05, -0.24), (-0.05, -0.4), (0.05, -0.4), (0.05, -0.24), (0.12, -0.1), (0.12, 0.5)],
            glass,
        )
        pen.box(-0.12, 0.06, 0.12, 0.3, (246, 244, 236))
        pen.box(-0.09, -0.06, -0.06, 0.03, (235, 240, 240))
        if i != gone:
            pen.box(-0.07, -0.5, 0.07, -0.38, cap)
    return canvas.pixels()


KINDS = {"scratch": scratch, "dent": dent, "gear": gear, "crack": crack, "hole": hole, "board": board, "bottles": bottles}


def scenes() -> list[Scene]:
    """Return 28 pairs, four of each kind; the two of a pair differ in the flaw alone."""
    made = []
    for kind, draw in KINDS.items():
        for i in range(PAIRS):
            for flawed in (True, False):
                name = ("defects", kind, i)
                pixels = draw(draws.dice(*name), draws.noise(*name), flawed)
                pixels = np.ascontiguousarray(cv2.GaussianBlur(pixels, (0, 0), 0.5))
                word = "flawed" if flawed else "sound"
                made.append(Scene(f"{kind}-{i}-{word}", pixels, (yes_no("defect", PHRASINGS, flawed),)))
    return made
