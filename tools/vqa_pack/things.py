"""Everyday things, each drawn into the unit square of a pen in one main colour."""

from __future__ import annotations

import math
from collections.abc import Callable

from tools.vqa_pack.canvas import Colour, Pen, arc, shade

WHITE, BLACK, GREY = (250, 250, 250), (30, 30, 32), (150, 150, 155)
BROWN, GREEN, SKIN = (120, 74, 38), (52, 140, 60), (238, 190, 150)


def apple(pen: Pen, colour: Colour) -> None:
    """An apple with a leaf."""
    pen.curve(
        [
            (0, -0.22),
            (0.22, -0.32),
            (0.44, -0.12),
            (0.4, 0.2),
            (0.18, 0.46),
            (0, 0.41),
            (-0.18, 0.46),
            (-0.4, 0.2),
            (-0.44, -0.12),
            (-0.22, -0.32),
        ],
        colour,
    )
    pen.oval(-0.2, -0.1, 0.07, 0.12, shade(colour, 1.6))
    pen.line([(0, -0.2), (0.05, -0.45)], 0.05, BROWN)
    pen.curve([(0.06, -0.36), (0.2, -0.5), (0.36, -0.44), (0.22, -0.34)], GREEN)


def balloon(pen: Pen, colour: Colour) -> None:
    """A balloon on a string."""
    pen.line([(0, 0.16), (0.04, 0.3), (-0.03, 0.4), (0.02, 0.5)], 0.02, GREY)
    pen.oval(0, -0.16, 0.28, 0.34, colour)
    pen.polygon([(0, 0.15), (0.05, 0.23), (-0.05, 0.23)], shade(colour, 0.8))
    pen.oval(-0.11, -0.28, 0.05, 0.09, shade(colour, 1.7))


def book(pen: Pen, colour: Colour) -> None:
    """An open book."""
    pen.polygon([(-0.5, -0.24), (0, -0.18), (0.5, -0.24), (0.5, 0.3), (0, 0.36), (-0.5, 0.3)], colour)
    for side in (-1, 1):
        pen.polygon([(0, -0.13), (0.45 * side, -0.2), (0.45 * side, 0.24), (0, 0.31)], WHITE)
        for row in range(5):
            pen.line([(0.06 * side, -0.06 + 0.07 * row), (0.39 * side, -0.11 + 0.07 * row)], 0.018, GREY)
    pen.line([(0, -0.14), (0, 0.33)], 0.02, shade(colour, 0.6))


def boat(pen: Pen, colour: Colour) -> None:
    """A sailing boat."""
    pen.line([(0, -0.48), (0, 0.2)], 0.035, BROWN)
    pen.polygon([(0.03, -0.46), (0.4, 0.12), (0.03, 0.12)], WHITE)
    pen.polygon([(-0.03, -0.36), (-0.32, 0.12), (-0.03, 0.12)], (225, 225, 232))
    pen.polygon([(-0.48, 0.18), (0.48, 0.18), (0.32, 0.42), (-0.32, 0.42)], colour)


def candle(pen: Pen, colour: Colour) -> None:
    """A burning candle in a holder."""
    pen.box(-0.11, -0.14, 0.11, 0.36, colour)
    pen.line([(0, -0.14), (0, -0.22)], 0.025, BLACK)
    pen.curve([(0, -0.5), (0.09, -0.3), (0, -0.19), (-0.09, -0.3)], (255, 170, 30))
    pen.curve([(0, -0.38), (0.045, -0.28), (0, -0.22), (-0.045, -0.28)], (255, 236, 120))
    pen.oval(0, 0.38, 0.28, 0.07, GREY)


def clock(pen: Pen, colour: Colour) -> None:
    """A round clock with hands."""
    pen.oval(0, 0, 0.46, 0.46, colour)
    pen.oval(0, 0, 0.38, 0.38, WHITE)
    for hour in range(12):
        a = math.radians(30 * hour)
        pen.line([(0.31 * math.cos(a), 0.31 * math.sin(a)), (0.35 * math.cos(a), 0.35 * math.sin(a))], 0.025, BLACK)
    pen.line([(0, 0), (0, -0.28)], 0.035, BLACK)
    pen.line([(0, 0), (0.18, 0.1)], 0.045, BLACK)


def cup(pen: Pen, colour: Colour) -> None:
    """A cup with a handle."""
    pen.line(arc(0.24, 0.02, 0.19, 0.17, -80, 80), 0.07, shade(colour, 0.85))
    pen.polygon([(-0.4, -0.26), (0.3, -0.26), (0.22, 0.36), (-0.32, 0.36)], colour)
    pen.oval(-0.05, -0.26, 0.35, 0.09, shade(colour, 1.4))
    pen.oval(-0.05, -0.25, 0.29, 0.06, (90, 55, 30))


def flower(pen: Pen, colour: Colour) -> None:
    """A flower with petals, a stem and two leaves."""
    pen.line([(0, -0.1), (0, 0.5)], 0.045, GREEN)
    pen.curve([(0, 0.36), (0.14, 0.2), (0.3, 0.18), (0.16, 0.34)], GREEN)
    pen.curve([(0, 0.42), (-0.14, 0.26), (-0.3, 0.24), (-0.16, 0.4)], GREEN)
    for petal in range(6):
        a = math.radians(60 * petal)
        pen.oval(0.2 * math.cos(a), -0.2 + 0.2 * math.sin(a), 0.13, 0.13, colour)
    pen.oval(0, -0.2, 0.12, 0.12, (250, 205, 60) if colour[2] > 60 or colour[1] < 150 else BROWN)


def house(pen: Pen, colour: Colour) -> None:
    """A house with a roof, a door and windows."""
    pen.box(0.2, -0.44, 0.3, -0.2, BROWN)
    pen.box(-0.36, -0.08, 0.36, 0.46, (240, 226, 200))
    pen.polygon([(-0.48, -0.06), (0, -0.48), (0.48, -0.06)], colour)
    pen.box(-0.08, 0.14, 0.1, 0.46, BROWN)
    for side in (-0.24, 0.24):
        pen.box(side - 0.08, 0.06, side + 0.08, 0.22, (120, 180, 225))


def key(pen: Pen, colour: Colour) -> None:
    """A key lying flat."""
    pen.oval(-0.3, 0, 0.19, 0.19, colour)
    pen.oval(-0.3, 0, 0.09, 0.09, WHITE)
    pen.box(-0.13, -0.05, 0.48, 0.05, colour)
    pen.box(0.26, 0.04, 0.33, 0.2, colour)
    pen.box(0.4, 0.04, 0.48, 0.17, colour)


def ladder(pen: Pen, colour: Colour) -> None:
    """A ladder."""
    for side in (-0.19, 0.19):
        pen.line([(side, -0.47), (side, 0.47)], 0.06, colour)
    for rung in range(6):
        pen.line([(-0.19, -0.38 + 0.152 * rung), (0.19, -0.38 + 0.152 * rung)], 0.045, colour)


def mushroom(pen: Pen, colour: Colour) -> None:
    """A mushroom with spots."""
    pen.curve([(-0.1, -0.02), (0.1, -0.02), (0.12, 0.3), (0.17, 0.46), (-0.17, 0.46), (-0.12, 0.3)], (240, 230, 210))
    pen.oval(0, 0, 0.44, 0.42, colour, 180, 360)
    for u, v, r in ((-0.2, -0.14, 0.07), (0.06, -0.27, 0.08), (0.24, -0.1, 0.06)):
        pen.oval(u, v, r, r * 0.85, WHITE)


def snowman(pen: Pen, colour: Colour) -> None:
    """A snowman with a hat in the main colour."""
    edge = (165, 180, 200)
    for v, r in ((0.27, 0.22), (-0.03, 0.165), (-0.26, 0.12)):
        pen.oval(0, v, r + 0.012, r + 0.012, edge)
        pen.oval(0, v, r, r, WHITE)
    pen.box(-0.17, -0.38, 0.17, -0.345, colour)
    pen.box(-0.1, -0.5, 0.1, -0.36, colour)
    for u in (-0.045, 0.045):
        pen.oval(u, -0.28, 0.016, 0.016, BLACK)
    pen.polygon([(0, -0.25), (0.15, -0.225), (0, -0.21)], (240, 120, 30))
    for v in (-0.06, 0.02):
        pen.oval(0, v, 0.018, 0.018, BLACK)
    for side in (-1, 1):
        pen.line([(0.15 * side, -0.05), (0.36 * side, -0.17)], 0.025, BROWN)


def tree(pen: Pen, colour: Colour) -> None:
    """A tree with a round crown."""
    pen.polygon([(-0.06, 0), (0.06, 0), (0.1, 0.48), (-0.1, 0.48)], BROWN)
    for u, v, r in ((-0.2, -0.08, 0.2), (0.2, -0.08, 0.2), (0, -0.24, 0.25), (0, -0.02, 0.18)):
        pen.oval(u, v, r, r, colour)
    pen.oval(-0.1, -0.28, 0.08, 0.07, shade(colour, 1.25))


def umbrella(pen: Pen, colour: Colour) -> None:
    """An open umbrella."""
    pen.line([(0, -0.4), (0, 0.34)], 0.035, BLACK)
    pen.line(arc(-0.07, 0.36, 0.07, 0.09, 0, 170), 0.035, BLACK)
    pen.oval(0, 0.02, 0.47, 0.42, colour, 180, 360)
    pen.oval(0, 0.02, 0.17, 0.42, shade(colour, 1.35), 180, 360)
    for u in (-0.32, 0, 0.32):
        pen.oval(u, 0.02, 0.155, 0.06, shade(colour, 0.8), 180, 360)


def scissors(pen: Pen, colour: Colour) -> None:
    """Open scissors."""
    for side in (-1, 1):
        pen.polygon([(0.02 * side, 0.1), (0.2 * side, -0.48), (0.1 * side, -0.44), (-0.05 * side, 0.06)], GREY)
        pen.line(arc(-0.17 * side, 0.3, 0.12, 0.14), 0.06, colour)
        pen.line([(0, 0.06), (-0.12 * side, 0.2)], 0.06, colour)
    pen.oval(0, 0.05, 0.03, 0.03, BLACK)


#: Name → how it is drawn, and what else it may be called.
THINGS: dict[str, tuple[Callable[[Pen, Colour], None], tuple[str, ...]]] = {
    "apple": (apple, ("fruit",)),
    "balloon": (balloon, ()),
    "boat": (boat, ("sailing boat", "sailboat", "ship")),
    "book": (book, ()),
    "candle": (candle, ()),
    "clock": (clock, ()),
    "cup": (cup, ("mug", "teacup", "coffee cup")),
    "flower": (flower, ()),
    "house": (house, ("home", "building")),
    "key": (key, ()),
    "ladder": (ladder, ()),
    "mushroom": (mushroom, ("toadstool",)),
    "scissors": (scissors, ()),
    "snowman": (snowman, ()),
    "tree": (tree, ()),
    "umbrella": (umbrella, ("parasol",)),
}
