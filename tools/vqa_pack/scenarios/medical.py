"""``medical``: tissue as an endoscope shows it, with folds and reflections, with or without a polyp-like growth."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas
from tools.vqa_pack.record import Scene, yes_no

SIDE, PAIRS = 272, 28
PHRASINGS = (
    "Is there a polyp, a rounded growth, on this drawn tissue?",
    "The picture imitates an endoscope's view. Does a growth stick out of the tissue?",
    "Does this tissue have a lump that looks like a polyp?",
)


def scenes() -> list[Scene]:
    """Return 28 pairs of the same tissue, one of each with a growth."""
    made = []
    for i in range(PAIRS):
        for grown in (True, False):
            word = "with" if grown else "without"
            made.append(Scene(f"{i:02d}-{word}", _view(i, grown), (yes_no("growth", PHRASINGS, grown),)))
    return made


def _view(i: int, grown: bool) -> Any:
    rng, noise = draws.dice("medical", i), draws.noise("medical", i)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    pixels, height = _tissue(noise, rng.uniform(0, 6.3), rows, columns)
    u, v, r = rng.uniform(92, 180), rng.uniform(92, 180), rng.uniform(27, 40)
    if grown:
        pixels, height = _grow(pixels, height, rows, columns, (u, v, r * rng.uniform(0.8, 1.0)))
    lit = textures.light_up(pixels, _light(height))
    lit = _reflections(lit, height, noise)
    away = np.hypot(columns - SIDE / 2, rows - SIDE / 2) / (SIDE / 2)
    lit = textures.light_up(lit, 1.12 - 0.5 * np.clip(away, 0, 1) ** 2)
    edge = np.clip((0.97 - away) * 60, 0, 1)
    return textures.light_up(lit, edge)


def _tissue(noise: np.random.Generator, phase: float, rows: Any, columns: Any) -> tuple[Any, Any]:
    """Return the colours and the height of folded tissue with vessels."""
    sway = textures.clouds(noise, SIDE, SIDE, 130, 2)
    along = columns * np.cos(phase) + rows * np.sin(phase)
    folds = np.clip(np.sin(along / 17 + 5 * sway), 0, 1) ** 3
    base = textures.blend(textures.clouds(noise, SIDE, SIDE, 90, 3), (198, 98, 84), (232, 146, 124))
    vessels = np.exp(-((textures.clouds(noise, SIDE, SIDE, 80, 2) - 0.5) ** 2) / 0.00025)
    pixels = base - np.uint8(vessels[..., None] * np.array((30, 46, 34)) * 0.7)
    return pixels, 5 * folds + 3 * textures.clouds(noise, SIDE, SIDE, 40, 2)


def _grow(pixels: Any, height: Any, rows: Any, columns: Any, at: tuple[float, float, float]) -> tuple[Any, Any]:
    """Return both with a dome at (u, v) of radius r: redder, and with a dark rim where it meets the tissue."""
    u, v, r = at
    away = np.hypot(columns - u, (rows - v) * 1.12) / r
    dome = np.sqrt(np.clip(1 - away**2, 0, 1))
    inside = np.clip((1.02 - away) * 12, 0, 1)[..., None]
    rim = 1 - 0.4 * np.exp(-(((away - 1.06) / 0.09) ** 2))
    redder = pixels * (1 - inside) + (0.55 * pixels + 0.45 * np.array((206, 74, 66))) * inside
    return textures.light_up(redder, rim), height * (1 - inside[..., 0]) + (0.62 * r * dome + 3) * inside[..., 0]


def _light(height: Any) -> Any:
    """Return the gain of a surface of ``height`` px under light from the upper left, about 1."""
    soft = cv2.GaussianBlur(np.float32(height), (0, 0), 1.4)
    slope = cv2.Sobel(soft, -1, 1, 0, ksize=3) + cv2.Sobel(soft, -1, 0, 1, ksize=3)
    return 1 + np.clip(0.035 * slope, -0.35, 0.3)


def _reflections(pixels: Any, height: Any, noise: np.random.Generator) -> Any:
    """Return the picture with wet reflections where the surface is high, at places drawn alike for both of a pair."""
    canvas = Canvas(SIDE, SIDE, pixels)
    for x, y, r in zip(*(noise.uniform(60, 212, 40) for _ in range(2)), noise.uniform(1.2, 3.2, 40), strict=True):
        if height[int(y), int(x)] > 4.5:
            canvas.pen(x, y, r, 35).oval(0, 0, 1.7, 0.8, (255, 244, 238))
    return canvas.pixels()
