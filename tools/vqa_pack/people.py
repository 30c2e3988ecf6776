"""Faces and figures whose mood is the answer."""

from __future__ import annotations

from tools.vqa_pack.canvas import Colour, Pen, arc, shade

INK, WHITE, TEAR, MOUTH = (40, 32, 32), (250, 250, 250), (70, 150, 235), (150, 30, 45)
SKINS: tuple[Colour, ...] = ((242, 200, 160), (222, 170, 125), (170, 115, 75), (115, 75, 50))
HAIRS: tuple[Colour, ...] = ((50, 35, 25), (120, 70, 30), (200, 160, 70), (90, 90, 95))


def face(pen: Pen, skin: Colour, hair: Colour, happy: bool, tears: bool = True) -> None:
    """A head with a laughing mouth, or with a bent one, slanting brows and tears."""
    pen.oval(0, -0.06, 0.46, 0.48, hair)
    pen.oval(0, 0.03, 0.41, 0.43, skin)
    pen.oval(0, -0.36, 0.34, 0.13, hair)
    for side in (-1, 1):
        inner, outer = (-0.13, -0.13) if happy else (-0.2, -0.1)
        pen.line([(0.07 * side, inner - (0 if happy else 0.02)), (0.26 * side, outer)], 0.03, INK)
        pen.oval(0.17 * side, 0.0, 0.07, 0.075, WHITE)
        pen.oval(0.17 * side, 0.01 if happy else 0.03, 0.035, 0.04, INK)
        if not happy and tears:
            pen.curve([(0.19 * side, 0.09), (0.23 * side, 0.21), (0.19 * side, 0.25), (0.15 * side, 0.21)], TEAR)
        if happy:
            pen.oval(0.27 * side, 0.14, 0.07, 0.05, shade(skin, 0.9))
    pen.line([(0, 0.06), (0.03, 0.13), (-0.02, 0.14)], 0.018, shade(skin, 0.7))
    if happy:
        pen.oval(0, 0.2, 0.19, 0.17, MOUTH, 0, 180)
        pen.box(-0.17, 0.2, 0.17, 0.24, WHITE)
    else:
        pen.line(arc(0, 0.36, 0.15, 0.11, 200, 340), 0.04, MOUTH)


def figure(pen: Pen, skin: Colour, shirt: Colour, happy: bool) -> None:
    """A person who throws up the arms, or who sits with hanging head and clasped knees."""
    if happy:
        for side in (-1, 1):
            pen.line([(0.05 * side, 0.14), (0.12 * side, 0.47)], 0.08, (50, 60, 95))
            pen.line([(0.08 * side, -0.14), (0.22 * side, -0.26), (0.27 * side, -0.45)], 0.06, skin)
        pen.curve([(-0.12, -0.2), (0.12, -0.2), (0.12, 0.16), (-0.12, 0.16)], shirt)
        pen.oval(0, -0.32, 0.115, 0.125, skin)
        pen.oval(0, -0.4, 0.11, 0.06, INK)
        for u in (-0.04, 0.04):
            pen.oval(u, -0.33, 0.014, 0.014, INK)
        pen.oval(0, -0.28, 0.055, 0.045, MOUTH, 0, 180)
        return
    pen.curve([(-0.22, -0.02), (-0.08, -0.08), (0.02, 0.1), (0.0, 0.42), (-0.24, 0.44), (-0.28, 0.2)], shirt)
    pen.line([(-0.12, 0.38), (0.14, 0.1), (0.2, 0.42), (0.32, 0.44)], 0.09, (50, 60, 95))
    pen.line([(-0.1, 0.06), (0.06, 0.24), (0.18, 0.2)], 0.06, skin)
    pen.oval(0.02, -0.06, 0.115, 0.125, skin)
    pen.curve([(-0.1, -0.06), (-0.06, -0.18), (0.06, -0.2), (0.15, -0.1), (0.02, -0.08)], INK)
    pen.line(arc(0.08, 0.0, 0.03, 0.02, 200, 340), 0.014, MOUTH)
    pen.curve([(0.12, -0.02), (0.15, 0.06), (0.12, 0.08), (0.095, 0.06)], TEAR)


def cloud(pen: Pen, tone: Colour) -> None:
    """A cloud."""
    for u, v, r in ((-0.28, 0.04, 0.16), (-0.06, -0.06, 0.22), (0.2, 0.0, 0.18), (0.36, 0.06, 0.11)):
        pen.oval(u, v, r, r * 0.75, tone)
    pen.box(-0.34, 0.02, 0.4, 0.14, tone)


def sun(pen: Pen) -> None:
    """A shining sun."""
    for i in range(12):
        ray = arc(0, 0, 0.34, 0.34, 30 * i, 30 * i + 1)[0], arc(0, 0, 0.48, 0.48, 30 * i, 30 * i + 1)[0]
        pen.line(ray, 0.04, (255, 190, 30))
    pen.oval(0, 0, 0.27, 0.27, (255, 212, 50))
