"""Surfaces, as float or uint8 arrays, from a generator that is handed in."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from tools.vqa_pack.canvas import Colour


def clouds(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4, fade: float = 0.5) -> Any:
    """Return smooth noise in [0, 1], height×width: octaves of interpolated lattices, the coarsest with ``cell`` px."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1)
        lattice = rng.random((int(height / step) + 4, int(width / step) + 4), dtype=np.float32)
        big = cv2.resize(lattice, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += fade**octave * big[int(step) : int(step) + height, int(step) : int(step) + width]
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def blend(weight: Any, dark: Colour, light: Colour) -> Any:
    """Return uint8 H×W×3 between two colours by ``weight`` in [0, 1]."""
    w = np.clip(weight, 0, 1)[..., None]
    return np.uint8(np.rint((1 - w) * np.array(dark) + w * np.array(light)))


def gradient(height: int, width: int, top: Colour, bottom: Colour) -> Any:
    """Return uint8 H×W×3 that goes from ``top`` to ``bottom``."""
    return blend(np.repeat(np.linspace(0, 1, height)[:, None], width, 1), top, bottom)


def plain(rng: np.random.Generator, height: int, width: int, colour: Colour, spread: int = 10) -> Any:
    """Return a wall or table of one colour with faint unevenness, ``spread`` grey levels from darkest to lightest."""
    weight = clouds(rng, height, width, max(height, width) / 3)
    dark = tuple(max(c - spread, 0) for c in colour)
    return blend(weight, dark, colour)


def brushed(rng: np.random.Generator, height: int, width: int, dark: Colour, light: Colour) -> Any:
    """Return metal brushed from left to right."""
    grain = cv2.blur(rng.random((height, width), dtype=np.float32), (61, 1))
    sheen = clouds(rng, height, width, 200, 1)
    return blend(0.5 + 4 * (grain - 0.5) * 0.5 + 0.35 * (sheen - 0.5), dark, light)


def wood(rng: np.random.Generator, height: int, width: int, dark: Colour, light: Colour) -> Any:
    """Return boards with the grain from left to right."""
    bend = clouds(rng, height, width, 160, 2)
    rows = np.arange(height, dtype=np.float32)[:, None]
    rings = 0.5 + 0.5 * np.sin(rows / 5 + 14 * bend)
    return blend(0.6 * rings + 0.4 * clouds(rng, height, width, 30, 2), dark, light)


def grass(rng: np.random.Generator, height: int, width: int, dark: Colour, light: Colour) -> Any:
    """Return a lawn: upright blades."""
    blades = cv2.blur(rng.random((height, width), dtype=np.float32), (1, 9))
    return blend(0.5 + 1.6 * (blades - 0.5) + 0.5 * (clouds(rng, height, width, 50, 2) - 0.5), dark, light)


def light_up(pixels: Any, gain: Any) -> Any:
    """Return uint8 pixels multiplied by ``gain``, H×W."""
    return np.uint8(np.clip(np.rint(pixels * gain[..., None]), 0, 255))
