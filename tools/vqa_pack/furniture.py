"""Things in a room from the front, standing at v = 0.5 or hanging about v = 0, each in the unit square of a pen."""

from __future__ import annotations

from collections.abc import Callable

from tools.vqa_pack.canvas import Colour, Pen, arc, shade

WOOD, METAL, WHITE, INK = (150, 100, 55), (190, 195, 200), (248, 248, 250), (40, 40, 45)


def chair(pen: Pen, colour: Colour) -> None:
    """A wooden chair with a cushion."""
    for u in (-0.24, 0.24):
        pen.box(u - 0.035, 0.1, u + 0.035, 0.5, WOOD)
        pen.box(u - 0.035, -0.5, u + 0.035, 0.1, shade(WOOD, 0.85))
    for v in (-0.44, -0.28, -0.12):
        pen.box(-0.24, v, 0.24, v + 0.08, WOOD)
    pen.box(-0.3, 0.06, 0.3, 0.14, colour)


def sofa(pen: Pen, colour: Colour) -> None:
    """A sofa for two."""
    pen.box(-0.44, -0.1, 0.44, 0.3, shade(colour, 0.85))
    for u in (-0.2, 0.2):
        pen.box(u - 0.19, -0.06, u + 0.19, 0.2, colour)
        pen.box(u - 0.19, 0.18, u + 0.19, 0.32, shade(colour, 1.2))
    for u in (-0.45, 0.45):
        pen.oval(u, 0.08, 0.06, 0.06, colour)
        pen.box(u - 0.06, 0.08, u + 0.06, 0.44, colour)
    pen.box(-0.4, 0.32, 0.4, 0.44, shade(colour, 0.8))
    for u in (-0.42, 0.42):
        pen.box(u - 0.03, 0.44, u + 0.03, 0.5, INK)


def bed(pen: Pen, colour: Colour) -> None:
    """A bed from the side, with a pillow and a blanket."""
    pen.box(-0.5, -0.12, -0.45, 0.5, WOOD)
    pen.box(0.45, 0.06, 0.5, 0.5, WOOD)
    pen.box(-0.45, 0.26, 0.45, 0.38, shade(WOOD, 0.85))
    pen.box(-0.45, 0.12, 0.45, 0.26, WHITE)
    pen.oval(-0.31, 0.08, 0.12, 0.07, (232, 236, 248))
    pen.curve([(-0.18, 0.06), (0.1, 0.03), (0.45, 0.08), (0.46, 0.3), (-0.16, 0.3)], colour)


def hammock(pen: Pen, colour: Colour) -> None:
    """A hammock between two posts."""
    for u in (-0.47, 0.47):
        pen.box(u - 0.025, -0.3, u + 0.025, 0.5, WOOD)
    pen.line([(-0.46, -0.2), (-0.3, 0.06)], 0.015, INK)
    pen.line([(0.46, -0.2), (0.3, 0.06)], 0.015, INK)
    pen.polygon(arc(0, 0.04, 0.32, 0.2, 0, 180), colour)
    for v in (0.1, 0.16):
        pen.line([(-0.24, v), (0.24, v)], 0.015, shade(colour, 1.5))


def washbasin(pen: Pen, colour: Colour) -> None:
    """A washbasin on a foot, with a tap."""
    pen.polygon([(-0.08, 0.12), (0.08, 0.12), (0.13, 0.5), (-0.13, 0.5)], (225, 228, 232))
    pen.oval(0, -0.02, 0.38, 0.22, (236, 239, 243), 0, 180)
    pen.oval(0, -0.02, 0.38, 0.06, (205, 212, 220))
    pen.oval(0, -0.02, 0.3, 0.04, (150, 190, 215))
    pen.line([(0, -0.04), (0, -0.26), (0.12, -0.26), (0.12, -0.16)], 0.05, (120, 125, 132))
    pen.oval(0.12, -0.08, 0.02, 0.04, (70, 150, 220))


def bathtub(pen: Pen, colour: Colour) -> None:
    """A bathtub on feet with foam."""
    for u, v, r in ((-0.2, 0.0, 0.1), (0, -0.04, 0.12), (0.2, 0.0, 0.1)):
        pen.oval(u, v, r, r, (215, 235, 248))
    pen.curve([(-0.5, 0.02), (0.5, 0.02), (0.44, 0.34), (0.3, 0.42), (-0.3, 0.42), (-0.44, 0.34)], (240, 242, 246))
    pen.box(-0.5, 0.0, 0.5, 0.05, (205, 210, 218))
    pen.line([(0.4, 0), (0.4, -0.22), (0.3, -0.22), (0.3, -0.14)], 0.035, (120, 125, 132))
    for u in (-0.28, 0.28):
        pen.oval(u, 0.45, 0.05, 0.05, METAL)


def fridge(pen: Pen, colour: Colour) -> None:
    """A fridge, its door open, with food in it."""
    pen.box(-0.3, -0.5, 0.14, 0.5, (200, 205, 212))
    pen.box(-0.26, -0.46, 0.1, 0.46, (240, 248, 252))
    for v in (-0.22, 0.02, 0.26):
        pen.box(-0.26, v, 0.1, v + 0.02, METAL)
    pen.oval(-0.16, -0.27, 0.06, 0.06, (214, 40, 40))
    pen.oval(-0.02, -0.27, 0.06, 0.06, (60, 160, 60))
    pen.box(-0.2, -0.18, -0.1, 0.02, WHITE)
    pen.box(-0.2, -0.12, -0.1, -0.05, (35, 90, 215))
    pen.polygon([(0.0, 0.02), (0.06, -0.1), (0.08, 0.02)], (250, 200, 40))
    pen.box(-0.2, 0.16, 0.04, 0.26, (240, 150, 50))
    pen.polygon([(0.14, -0.5), (0.38, -0.42), (0.38, 0.42), (0.14, 0.5)], (222, 226, 232))
    pen.box(0.32, -0.06, 0.345, 0.12, INK)


def stove(pen: Pen, colour: Colour) -> None:
    """A cooker with an oven and a steaming pot."""
    pen.box(-0.34, -0.06, 0.34, 0.5, (225, 228, 232))
    pen.box(-0.24, 0.12, 0.24, 0.42, (50, 50, 56))
    pen.box(-0.2, 0.16, 0.2, 0.38, (250, 150, 50))
    for u in (-0.24, -0.08, 0.08, 0.24):
        pen.oval(u, 0.03, 0.035, 0.035, INK)
    pen.box(-0.34, -0.09, 0.34, -0.05, INK)
    pen.box(-0.2, -0.28, 0.1, -0.09, METAL)
    pen.box(-0.27, -0.24, 0.17, -0.21, INK)
    for u in (-0.13, -0.03):
        pen.line([(u, -0.32), (u + 0.03, -0.38), (u - 0.02, -0.43), (u + 0.02, -0.49)], 0.018, (185, 190, 200))


def shelf(pen: Pen, colour: Colour) -> None:
    """A bookshelf full of books."""
    pen.box(-0.36, -0.5, 0.36, 0.5, WOOD)
    tones = ((190, 50, 50), (40, 90, 170), (240, 190, 60), (60, 140, 80), (120, 70, 150))
    for row in range(3):
        top = -0.45 + 0.31 * row
        pen.box(-0.31, top, 0.31, top + 0.27, shade(WOOD, 0.55))
        for i in range(7):
            tall = 0.17 + 0.03 * ((i * 2 + row) % 4)
            pen.box(-0.3 + 0.086 * i, top + 0.27 - tall, -0.225 + 0.086 * i, top + 0.27, tones[(i + 2 * row) % 5])


def clock(pen: Pen, colour: Colour) -> None:
    """A wall clock."""
    pen.oval(0, 0, 0.3, 0.3, INK)
    pen.oval(0, 0, 0.25, 0.25, WHITE)
    pen.line([(0, 0), (0, -0.18)], 0.03, INK)
    pen.line([(0, 0), (0.12, 0.06)], 0.035, INK)


def window(pen: Pen, colour: Colour) -> None:
    """A window with a view of hills."""
    pen.box(-0.38, -0.36, 0.38, 0.36, WOOD)
    pen.box(-0.33, -0.31, 0.33, 0.31, (150, 205, 240))
    pen.oval(0.2, -0.19, 0.06, 0.06, (255, 220, 80))
    pen.polygon([(-0.33, 0.31), (-0.33, 0.12), (-0.1, 0.02), (0.12, 0.16), (0.33, 0.06), (0.33, 0.31)], (95, 170, 90))
    pen.box(-0.02, -0.31, 0.02, 0.31, WOOD)
    pen.box(-0.33, -0.02, 0.33, 0.02, WOOD)


def lamp(pen: Pen, colour: Colour) -> None:
    """A standing lamp that is on."""
    pen.box(-0.02, -0.2, 0.02, 0.46, INK)
    pen.oval(0, 0.47, 0.16, 0.035, INK)
    pen.polygon([(-0.14, -0.5), (0.14, -0.5), (0.25, -0.16), (-0.25, -0.16)], (255, 225, 130))


def piano(pen: Pen, colour: Colour) -> None:
    """An upright piano."""
    pen.box(-0.46, -0.28, 0.46, 0.5, (70, 45, 32))
    pen.box(-0.42, -0.22, 0.42, 0.02, (92, 60, 42))
    pen.box(-0.46, 0.06, 0.46, 0.18, WHITE)
    for i in range(1, 14):
        u = -0.46 + 0.92 * i / 14
        pen.line([(u, 0.06), (u, 0.18)], 0.006, INK)
        if i % 7 not in (0, 3):
            pen.box(u - 0.018, 0.06, u + 0.018, 0.13, INK)
    pen.box(-0.38, 0.24, 0.38, 0.44, (52, 33, 24))


def bin_(pen: Pen, colour: Colour) -> None:
    """A waste bin with paper in it."""
    for u, v in ((-0.1, 0.0), (0.08, -0.03), (0, -0.06)):
        pen.oval(u, v, 0.09, 0.07, WHITE)
    pen.polygon([(-0.24, 0.02), (0.24, 0.02), (0.18, 0.5), (-0.18, 0.5)], (120, 125, 132))
    for u in (-0.12, 0, 0.12):
        pen.line([(u, 0.08), (u * 0.8, 0.46)], 0.02, (85, 88, 95))


def coat_rack(pen: Pen, colour: Colour) -> None:
    """A coat stand with a coat and a hat."""
    pen.box(-0.025, -0.46, 0.025, 0.46, WOOD)
    pen.box(-0.2, 0.44, 0.2, 0.5, WOOD)
    for side in (-1, 1):
        pen.line([(0, -0.28), (0.2 * side, -0.42)], 0.035, WOOD)
    pen.curve([(0.2, -0.36), (0.34, -0.2), (0.34, 0.2), (0.06, 0.2), (0.06, -0.2)], colour)
    pen.line([(0.2, -0.3), (0.2, 0.18)], 0.012, shade(colour, 0.6))
    pen.oval(-0.2, -0.42, 0.14, 0.035, INK)
    pen.oval(-0.2, -0.43, 0.08, 0.08, INK, 180, 360)


def tv(pen: Pen, colour: Colour) -> None:
    """A television on a stand, showing a football match."""
    pen.box(-0.46, -0.3, 0.46, 0.26, INK)
    pen.box(-0.42, -0.26, 0.42, 0.22, (70, 160, 80))
    pen.line([(0, -0.26), (0, 0.22)], 0.015, WHITE)
    pen.oval(0.16, 0.02, 0.05, 0.05, WHITE)
    for u, tone in ((-0.22, (214, 40, 40)), (0.28, (35, 90, 215))):
        pen.oval(u, -0.13, 0.04, 0.04, (238, 190, 150))
        pen.box(u - 0.04, -0.09, u + 0.04, 0.1, tone)
    pen.box(-0.05, 0.26, 0.05, 0.36, INK)
    pen.box(-0.5, 0.36, 0.5, 0.5, WOOD)


#: Name → how it is drawn, its size against a chair's, whether it hangs on the wall.
FURNITURE: dict[str, tuple[Callable[[Pen, Colour], None], float, bool]] = {
    "chair": (chair, 0.9, False),
    "sofa": (sofa, 1.2, False),
    "bed": (bed, 1.3, False),
    "hammock": (hammock, 1.3, False),
    "washbasin": (washbasin, 0.9, False),
    "bathtub": (bathtub, 1.3, False),
    "fridge": (fridge, 1.3, False),
    "stove": (stove, 1.0, False),
    "bookshelf": (shelf, 1.3, False),
    "clock": (clock, 0.8, True),
    "window": (window, 1.0, True),
    "lamp": (lamp, 1.2, False),
    "piano": (piano, 1.1, False),
    "bin": (bin_, 0.7, False),
    "coat stand": (coat_rack, 1.3, False),
    "television": (tv, 1.0, False),
}
