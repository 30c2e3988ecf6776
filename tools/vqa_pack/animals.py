"""Animals from the side, looking to the right, each in the unit square of a pen."""

from __future__ import annotations

from collections.abc import Callable

from tools.vqa_pack.canvas import Colour, Pen, arc, shade, smooth

BLACK, WHITE = (25, 25, 28), (250, 250, 250)
BEAK = (245, 160, 30)

FISH = smooth(
    [
        (0.46, 0.0),
        (0.28, -0.15),
        (0.02, -0.2),
        (-0.2, -0.06),
        (-0.46, -0.24),
        (-0.38, 0.0),
        (-0.46, 0.24),
        (-0.2, 0.06),
        (0.02, 0.2),
        (0.28, 0.15),
    ]
)


def fish(pen: Pen, colour: Colour) -> None:
    """A fish with a tail and fins."""
    pen.polygon(FISH, colour)
    pen.curve([(0.1, -0.16), (-0.08, -0.3), (-0.12, -0.13)], shade(colour, 0.75))
    pen.curve([(0.06, 0.04), (-0.1, 0.12), (-0.02, 0.0)], shade(colour, 0.75))
    pen.line(arc(0.2, 0, 0.06, 0.13, 120, 240), 0.018, shade(colour, 0.7))
    pen.oval(0.31, -0.05, 0.045, 0.045, WHITE)
    pen.oval(0.32, -0.05, 0.022, 0.022, BLACK)


def bird(pen: Pen, colour: Colour) -> None:
    """A small bird on two legs."""
    for u in (-0.02, 0.08):
        pen.line([(u, 0.2), (u, 0.42), (u + 0.08, 0.42)], 0.025, BEAK)
    pen.curve([(0.3, -0.02), (0.12, 0.24), (-0.14, 0.22), (-0.3, 0.02), (-0.1, -0.12), (0.1, -0.16)], colour)
    pen.polygon([(-0.2, -0.02), (-0.5, -0.12), (-0.48, 0.04), (-0.22, 0.12)], shade(colour, 0.8))
    pen.oval(0.2, -0.2, 0.16, 0.15, colour)
    pen.polygon([(0.33, -0.25), (0.5, -0.18), (0.33, -0.13)], BEAK)
    pen.curve([(0.1, -0.02), (-0.12, 0.14), (-0.32, 0.08), (-0.12, -0.06)], shade(colour, 0.7))
    pen.oval(0.24, -0.23, 0.028, 0.028, BLACK)


def duck(pen: Pen, colour: Colour) -> None:
    """A swimming duck."""
    pen.curve([(0.3, 0.1), (0.2, 0.34), (-0.22, 0.36), (-0.5, 0.04), (-0.3, 0.08), (0.02, 0.02)], colour)
    pen.curve([(0.12, 0.14), (0.12, -0.12), (0.3, -0.12), (0.32, 0.16)], colour)
    pen.oval(0.24, -0.22, 0.15, 0.14, colour)
    pen.curve([(0.36, -0.24), (0.52, -0.2), (0.5, -0.13), (0.36, -0.14)], BEAK)
    pen.curve([(0.04, 0.14), (-0.1, 0.28), (-0.34, 0.18), (-0.16, 0.1)], shade(colour, 0.8))
    pen.oval(0.28, -0.26, 0.028, 0.028, BLACK)


def butterfly(pen: Pen, colour: Colour) -> None:
    """A butterfly from above."""
    for side in (-1, 1):
        pen.curve([(0, -0.05), (0.18 * side, -0.4), (0.46 * side, -0.38), (0.4 * side, -0.04), (0.1 * side, 0.04)], colour)
        pen.curve([(0, 0.02), (0.32 * side, 0.06), (0.36 * side, 0.32), (0.14 * side, 0.36)], shade(colour, 0.75))
        pen.oval(0.28 * side, -0.22, 0.07, 0.07, WHITE)
        pen.line([(0.01 * side, -0.22), (0.1 * side, -0.44)], 0.02, BLACK)
    pen.oval(0, 0, 0.04, 0.26, BLACK)


def cat(pen: Pen, colour: Colour) -> None:
    """A cat sitting, seen from the front."""
    pen.line([(0.18, 0.4), (0.4, 0.36), (0.42, 0.14), (0.34, 0.06)], 0.07, colour)
    pen.curve([(0, -0.14), (0.2, 0.12), (0.24, 0.46), (-0.24, 0.46), (-0.2, 0.12)], colour)
    for side in (-1, 1):
        pen.polygon([(0.05 * side, -0.36), (0.23 * side, -0.5), (0.24 * side, -0.2)], colour)
        pen.oval(0.09 * side, -0.24, 0.045, 0.05, (235, 240, 150))
        pen.oval(0.09 * side, -0.24, 0.016, 0.045, BLACK)
    pen.oval(0, -0.22, 0.24, 0.2, colour)
    for side in (-1, 1):
        pen.oval(0.09 * side, -0.25, 0.05, 0.05, (235, 240, 150))
        pen.oval(0.09 * side, -0.25, 0.018, 0.045, BLACK)
        for v in (-0.16, -0.12):
            pen.line([(0.08 * side, -0.14), (0.32 * side, v)], 0.01, WHITE)
    pen.polygon([(-0.035, -0.17), (0.035, -0.17), (0, -0.13)], (240, 130, 140))


def snail(pen: Pen, colour: Colour) -> None:
    """A snail with its house."""
    pen.curve([(-0.46, 0.4), (-0.3, 0.26), (0.2, 0.24), (0.28, -0.04), (0.4, -0.06), (0.44, 0.14), (0.34, 0.4)], (225, 190, 140))
    for u in (0.3, 0.4):
        pen.line([(u, 0), (u + 0.05, -0.22)], 0.025, (205, 170, 120))
    for r, tone in ((0.3, 1.0), (0.2, 1.4), (0.11, 0.8)):
        pen.oval(-0.06, 0.06, r, r, shade(colour, tone))


def tortoise(pen: Pen, colour: Colour) -> None:
    """A tortoise walking."""
    skin = (150, 160, 80)
    for u in (-0.24, 0.18):
        pen.box(u - 0.07, 0.1, u + 0.07, 0.34, skin)
    pen.curve([(0.26, 0.14), (0.34, -0.06), (0.46, -0.08), (0.5, 0.04), (0.4, 0.16)], skin)
    pen.polygon([(-0.36, 0.1), (-0.5, 0.2), (-0.34, 0.2)], skin)
    pen.oval(-0.03, 0.18, 0.37, 0.4, colour, 180, 360)
    for u, v in ((-0.22, 0.04), (-0.03, -0.08), (0.16, 0.04)):
        pen.oval(u, v, 0.08, 0.07, shade(colour, 1.45))
    pen.oval(0.43, -0.01, 0.02, 0.02, BLACK)


#: Name → how it is drawn, and what else it may be called.
ANIMALS: dict[str, tuple[Callable[[Pen, Colour], None], tuple[str, ...]]] = {
    "fish": (fish, ("goldfish",)),
    "bird": (bird, ("robin", "sparrow")),
    "duck": (duck, ("rubber duck",)),
    "butterfly": (butterfly, ("moth",)),
    "cat": (cat, ("kitten",)),
    "snail": (snail, ()),
    "tortoise": (tortoise, ("turtle",)),
}
