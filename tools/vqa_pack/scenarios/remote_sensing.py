"""``remote-sensing``: drawn aerial views, rural or urban, with or without water, their buildings to be counted."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Colour, Point, smooth
from tools.vqa_pack.record import Scene, choice, number, yes_no

SIDE, COUNT, TOLERANCE = 304, 20, 0.1
AREAS = ("rural", "urban")
FIELDS: tuple[tuple[Colour, Colour], ...] = (
    ((120, 146, 72), (146, 170, 92)),
    ((176, 158, 100), (198, 182, 124)),
    ((92, 124, 62), (112, 148, 78)),
    ((156, 128, 88), (176, 148, 106)),
)
ROOFS: tuple[Colour, ...] = ((176, 74, 56), (150, 84, 62), (196, 104, 72))
SHOP: Colour = (58, 112, 206)
WATER: Colour = (36, 78, 122)
PHRASINGS = {
    "area": (
        "Is this area rural or urban?",
        "Seen from above: is this countryside, rural, or a town, urban?",
        "Which kind of area does the aerial view show, rural or urban?",
    ),
    "water": (
        "Is there water in this aerial view?",
        "Does the area have a river or a lake?",
        "Can you see any body of water from above here?",
    ),
    "buildings": (
        "How many buildings are there? Each roof, red or blue, is one building.",
        "Count all buildings in the aerial view, by their red and blue roofs.",
        "What is the number of buildings in this area, those with red and with blue roofs together?",
    ),
    "commercial": (
        "Commercial buildings have blue roofs here. How many are there?",
        "Count the commercial buildings, which are those with a blue roof.",
        "Taking blue roofs for shops and offices, how many commercial buildings does the view show?",
    ),
}


def scenes() -> list[Scene]:
    """Return 20 views with four questions each: half of them rural, half of each with water."""
    kinds = draws.deal([(area, wet) for area in AREAS for wet in (True, False)], COUNT, draws.dice("remote-sensing"))
    return [_scene(f"{i:02d}", area, wet) for i, (area, wet) in enumerate(kinds)]


def _scene(name: str, area: str, wet: bool) -> Scene:
    rng, noise = draws.dice("remote-sensing", name), draws.noise("remote-sensing", name)
    canvas = Canvas(SIDE, SIDE, textures.plain(noise, SIDE, SIDE, (150, 152, 150) if area == "urban" else (122, 146, 80), 14))
    lots = _town(canvas, rng, wet) if area == "urban" else _country(canvas, rng, noise, wet)
    shops = rng.randint(0, min(6, len(lots) // 2))
    for i, lot in enumerate(lots):
        _building(canvas, rng, lot, SHOP if i < shops else rng.choice(ROOFS))
    questions = (
        choice("area", PHRASINGS["area"], area, AREAS),
        yes_no("water", PHRASINGS["water"], wet),
        number("buildings", PHRASINGS["buildings"], len(lots), TOLERANCE),
        number("commercial", PHRASINGS["commercial"], shops),
    )
    grain = 0.96 + 0.08 * textures.clouds(noise, SIDE, SIDE, 4, 1)
    return Scene(name, textures.light_up(canvas.pixels(), grain), questions)


def _building(canvas: Canvas, rng: random.Random, lot: tuple[float, float, float], roof: Colour) -> None:
    """Draw a roof with a ridge and a shadow into a lot (x, y, room), all px."""
    x, y, room = lot
    a, b = room * rng.uniform(0.34, 0.44), room * rng.uniform(0.24, 0.34)
    pen = canvas.pen(x, y, 1, rng.choice((0, 90)))
    shadow = canvas.pen(x + 3, y + 3, 1, round(np.degrees(pen.turn)))
    shadow.box(-a, -b, a, b, (62, 66, 62))
    pen.box(-a, -b, a, 0, tuple(min(round(c * 1.15), 255) for c in roof))
    pen.box(-a, 0, a, b, tuple(round(c * 0.88) for c in roof))


def _tree(canvas: Canvas, x: float, y: float, r: float) -> None:
    canvas.pen(x + 1.5, y + 1.5, r).oval(0, 0, 1, 1, (46, 66, 40))
    canvas.pen(x, y, r).oval(0, 0, 1, 1, (58, 100, 50))


def _stream(rng: random.Random, upright: bool, middle: float) -> list[Point]:
    """Return a winding line across the picture about ``middle``."""
    line = [(step, middle + rng.uniform(-16, 16)) for step in range(-20, SIDE + 60, 54)]
    return smooth([(b, a) for a, b in line] if upright else line, closed=False)


def _country(canvas: Canvas, rng: random.Random, noise: np.random.Generator, wet: bool) -> list[tuple[float, float, float]]:
    """Draw fields, hedges and a lane, with a stream where ``wet``; return lots for 3 to 9 buildings beside them."""
    cuts_x = [0, rng.uniform(70, 110), rng.uniform(180, 220), SIDE]
    cuts_y = [0, rng.uniform(70, 110), rng.uniform(180, 220), SIDE]
    for x0, x1 in itertools.pairwise(cuts_x):
        for y0, y1 in itertools.pairwise(cuts_y):
            canvas.fill(_field(noise, rng), [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    for x in cuts_x[1:3]:
        for y in range(6, SIDE, 15):
            _tree(canvas, x + rng.uniform(-2, 2), y, rng.uniform(4, 6.5))
    lane = _stream(rng, upright=False, middle=rng.uniform(90, 120))
    canvas.pen().line(lane, 7, (196, 186, 164))
    taken = [lane]
    if wet:
        stream = _stream(rng, upright=False, middle=rng.uniform(210, 240))
        canvas.pen().line(stream, rng.uniform(18, 26), WATER)
        taken.append(stream)
    return _lots(rng, rng.randint(3, 9), 34, taken, 30)


def _field(noise: np.random.Generator, rng: random.Random) -> Any:
    """Return a field with furrows."""
    dark, light = rng.choice(FIELDS)
    rows = np.arange(SIDE)
    furrows = 0.5 + 0.5 * np.sin(rows * rng.uniform(0.7, 1.1))
    weight = 0.5 * (furrows[:, None] if rng.random() < 0.5 else furrows[None, :]) + 0.5 * textures.clouds(noise, SIDE, SIDE, 70, 2)
    return textures.blend(weight, dark, light)


def _lots(rng: random.Random, count: int, room: float, lines: list[list[Point]], away: float) -> list[tuple[float, float, float]]:
    """Return places for ``count`` buildings that keep ``away`` px from the lines and ``room`` from each other."""
    lots: list[tuple[float, float, float]] = []
    while len(lots) < count:
        x, y = rng.uniform(24, SIDE - 24), rng.uniform(24, SIDE - 24)
        clear = all((x - u) ** 2 + (y - v) ** 2 > away**2 for line in lines for u, v in line)
        if clear and all(abs(x - u) + abs(y - v) > 1.5 * room for u, v, _ in lots):
            lots.append((x, y, room))
    return lots


def _town(canvas: Canvas, rng: random.Random, wet: bool) -> list[tuple[float, float, float]]:
    """Draw blocks between streets, one of them a lake or a park; return 16 to 30 lots, four at most to a block."""
    pen, step = canvas.pen(), SIDE / 4
    open_block = rng.randrange(16)
    lots = []
    for block in range(16):
        x, y = (block % 4 + 0.5) * step, (block // 4 + 0.5) * step
        if block == open_block:
            pen.box(x - 31, y - 31, x + 31, y + 31, (104, 140, 78))
            if wet:
                pen.curve([(x - 26, y - 8), (x - 4, y - 25), (x + 25, y - 14), (x + 22, y + 18), (x - 8, y + 25)], WATER)
            else:
                for u, v in ((-16, -14), (14, -18), (-10, 14), (18, 10), (2, -2)):
                    _tree(canvas, x + u, y + v, 6)
            continue
        pen.box(x - 31, y - 31, x + 31, y + 31, (176, 172, 160))
        lots += [(x + u, y + v, 30.0) for u in (-15.5, 15.5) for v in (-15.5, 15.5)]
    for k in range(1, 4):
        for dash in range(4, SIDE, 16):
            pen.box(k * step - 0.7, dash, k * step + 0.7, dash + 7, (235, 235, 230))
            pen.box(dash, k * step - 0.7, dash + 7, k * step + 0.7, (235, 235, 230))
    kept = rng.sample(lots, rng.randint(16, 30))
    return kept
