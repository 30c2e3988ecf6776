"""Road vehicles from the side, wheels at v = 0.25, each in the unit square of a pen."""

from __future__ import annotations

from collections.abc import Callable

from tools.vqa_pack.canvas import Colour, Pen, shade

TYRE, GLASS, HUB = (28, 28, 30), (170, 205, 225), (170, 170, 175)


def _wheels(pen: Pen, places: tuple[float, ...], r: float = 0.09) -> None:
    for u in places:
        pen.oval(u, 0.2, r, r, TYRE)
        pen.oval(u, 0.2, r * 0.5, r * 0.5, HUB)


def car(pen: Pen, colour: Colour) -> None:
    """A car."""
    pen.curve(
        [(-0.49, 0.16), (-0.48, 0.02), (-0.3, -0.03), (-0.16, -0.2), (0.14, -0.2), (0.28, -0.03), (0.46, 0.03), (0.49, 0.18)],
        colour,
    )
    pen.polygon([(-0.22, -0.03), (-0.13, -0.15), (-0.02, -0.15), (-0.02, -0.03)], GLASS)
    pen.polygon([(0.02, -0.03), (0.02, -0.15), (0.12, -0.15), (0.22, -0.03)], GLASS)
    pen.oval(0.46, 0.07, 0.025, 0.03, (255, 240, 170))
    _wheels(pen, (-0.28, 0.28))


def van(pen: Pen, colour: Colour) -> None:
    """A delivery van."""
    pen.polygon([(-0.49, 0.2), (-0.49, -0.28), (0.26, -0.28), (0.4, -0.06), (0.49, 0.0), (0.49, 0.2)], colour)
    pen.polygon([(0.12, -0.06), (0.12, -0.22), (0.24, -0.22), (0.34, -0.06)], GLASS)
    pen.line([(0.06, -0.26), (0.06, 0.18)], 0.012, shade(colour, 0.7))
    _wheels(pen, (-0.3, 0.3))


def bus(pen: Pen, colour: Colour) -> None:
    """A bus with a row of windows."""
    pen.box(-0.5, -0.26, 0.5, 0.2, colour)
    for i in range(5):
        pen.box(-0.46 + 0.17 * i, -0.2, -0.33 + 0.17 * i, -0.04, GLASS)
    pen.box(0.4, -0.2, 0.47, 0.16, GLASS)
    pen.box(-0.5, 0.04, 0.38, 0.08, shade(colour, 0.7))
    _wheels(pen, (-0.3, 0.26), 0.075)


def lorry(pen: Pen, colour: Colour) -> None:
    """A lorry with a box behind the cab."""
    pen.box(-0.5, -0.3, 0.18, 0.14, (225, 225, 220))
    pen.polygon([(0.22, 0.16), (0.22, -0.2), (0.38, -0.2), (0.49, 0.0), (0.49, 0.16)], colour)
    pen.polygon([(0.27, -0.02), (0.27, -0.15), (0.36, -0.15), (0.44, -0.02)], GLASS)
    pen.box(-0.5, 0.13, 0.49, 0.18, (60, 60, 62))
    _wheels(pen, (-0.36, -0.14, 0.34), 0.085)


#: Name → how it is drawn, and its length against a car's.
VEHICLES: dict[str, tuple[Callable[[Pen, Colour], None], float]] = {
    "car": (car, 1.0),
    "van": (van, 1.1),
    "bus": (bus, 1.6),
    "lorry": (lorry, 1.45),
}
