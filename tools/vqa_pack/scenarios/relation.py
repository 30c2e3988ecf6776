"""``relation``: left of, above, inside, touching: does it hold between two shapes?"""

from __future__ import annotations

import math
import random

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Point
from tools.vqa_pack.record import Scene, yes_no
from tools.vqa_pack.scenarios.attributes import TABLES
from tools.vqa_pack.shapes import COLOURS, draw

SIDE, EACH = 288, 16
Placed = tuple[str, Point, float]  # shape, centre, size
WORDS = {
    "left": (
        "Is the {a} to the left of the {b}?",
        "Looking from left to right, does the {a} come before the {b}?",
        "Does the {a} lie further left than the {b}?",
    ),
    "above": ("Is the {a} above the {b}?", "Is the {a} higher up in the picture than the {b}?", "Does the {b} lie below the {a}?"),
    "inside": ("Is the {a} inside the {b}?", "Does the {b} enclose the {a}?", "Does the {a} lie within the {b}?"),
    "touching": (
        "Do the {a} and the {b} touch each other?",
        "Are the {a} and the {b} in contact?",
        "Is there no gap between the {a} and the {b}?",
    ),
}


def _beside(rng: random.Random, yes: bool, upright: bool) -> list[Placed]:
    """Return two shapes one before the other along an axis, the first in front where ``yes``."""
    low, high = rng.uniform(52, 100), rng.uniform(190, 236)
    along = (low, high) if yes else (high, low)
    across = [rng.uniform(80, 208) for _ in along]
    points = [(c, m) if upright else (m, c) for m, c in zip(along, across, strict=True)]
    return [("", point, rng.uniform(66, 88)) for point in points]


def _inside(rng: random.Random, yes: bool) -> list[Placed]:
    """Return a small shape within a large one, or well beside it."""
    x, y = (150, rng.uniform(120, 168)) if yes else (rng.choice((98, 190)), rng.uniform(110, 178))
    dx = rng.uniform(-12, 12) if yes else (122 if x < 144 else -122)
    return [("", (x + dx, y + rng.uniform(-10, 10)), 50), ("", (x, y), 160)]


def _touching(rng: random.Random, yes: bool) -> list[Placed]:
    """Return two discs' worth of shapes side by side, overlapping by 6 px or 26 px and more apart."""
    angle = rng.uniform(0, 2 * math.pi)
    apart = 78 if yes else rng.uniform(114, 130)
    dx, dy = apart / 2 * math.cos(angle), apart / 2 * math.sin(angle)
    return [("", (144 - dx, 144 - dy), 92), ("", (144 + dx, 144 + dy), 92)]


MADE = {
    "left": lambda rng, yes: _beside(rng, yes, upright=False),
    "above": lambda rng, yes: _beside(rng, yes, upright=True),
    "inside": _inside,
    "touching": _touching,
}
#: Shapes that relations are asked of: those whose outline is near their circle touch where the discs do.
FIRST, ROUND = ("circle", "square", "triangle", "star", "heart", "hexagon"), ("circle", "hexagon")


def scenes() -> list[Scene]:
    """Return 64 scenes, 16 for each relation, half of them with "no"."""
    return [_scene(relation, i, yes) for relation in MADE for i, yes in enumerate(_answers(relation))]


def _answers(relation: str) -> list[bool]:
    return draws.deal((True, False), EACH, draws.dice("relation", relation))


def _shapes(relation: str, rng: random.Random) -> list[str]:
    if relation == "inside":
        return [rng.choice(("star", "heart", "triangle", "cross")), rng.choice(("circle", "square", "hexagon"))]
    if relation == "touching":
        return rng.sample(ROUND, 2)
    return rng.sample(FIRST, 2)


def _scene(relation: str, i: int, yes: bool) -> Scene:
    name = f"{relation}-{i:02d}"
    rng = draws.dice("relation", name)
    canvas = Canvas(SIDE, SIDE, textures.plain(draws.noise("relation", name), SIDE, SIDE, rng.choice(TABLES), 14))
    placed, shapes = MADE[relation](rng, yes), _shapes(relation, rng)
    tones = rng.sample([c for c in COLOURS if c != "brown"], 2)
    for (_, (x, y), size), shape, tone in reversed(list(zip(placed, shapes, tones, strict=True))):
        draw(canvas.pen(x, y, size), shape, COLOURS[tone])
    words = {"a": f"{tones[0]} {shapes[0]}", "b": f"{tones[1]} {shapes[1]}"}
    return Scene(name, canvas.pixels(), (yes_no(relation, [text.format(**words) for text in WORDS[relation]], yes),))
