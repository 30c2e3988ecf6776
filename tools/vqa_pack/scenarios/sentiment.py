"""``sentiment``: faces, postures, couples and parties with a clear mood: is it good or bad?"""

from __future__ import annotations

import random

import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, arc
from tools.vqa_pack.people import HAIRS, SKINS, cloud, face, figure, sun
from tools.vqa_pack.record import Scene, choice
from tools.vqa_pack.shapes import COLOURS, SHAPES
from tools.vqa_pack.things import balloon, candle, flower

SIDE, EACH = 264, 14
MOODS = ("positive", "negative")
SHIRTS = [COLOURS[name] for name in ("red", "orange", "green", "blue", "purple")]
PHRASINGS = (
    "Is the mood of this picture positive or negative?",
    "Which feeling does the picture convey, a positive or a negative one?",
    "Would one call the atmosphere of this scene positive or negative?",
)


def _weather(noise: np.random.Generator, rng: random.Random, happy: bool) -> Canvas:
    """Return a meadow under a sun, or bare ground under rain clouds."""
    sky = ((120, 190, 245), (205, 232, 250)) if happy else ((88, 94, 104), (140, 146, 154))
    canvas = Canvas(SIDE, SIDE, textures.gradient(SIDE, SIDE, *sky))
    tones = ((70, 150, 60), (110, 185, 80)) if happy else ((84, 84, 78), (104, 102, 94))
    canvas.fill(textures.grass(noise, SIDE, SIDE, *tones), [(0, 190), (SIDE, 190), (SIDE, SIDE), (0, SIDE)])
    if happy:
        sun(canvas.pen(rng.uniform(48, 216), 46, 70))
        for u in range(6):
            flower(canvas.pen(24 + 43 * u, rng.uniform(222, 240), 32), rng.choice(SHIRTS[:2] + SHIRTS[4:]))
        return canvas
    for u in (60, 150, 220):
        cloud(canvas.pen(u, rng.uniform(30, 50), 110), (58, 62, 70))
    for _ in range(70):
        x, y = rng.uniform(0, SIDE), rng.uniform(70, 250)
        canvas.pen().line([(x, y), (x - 4, y + 13)], 0.9, (176, 190, 206))
    return canvas


def _face(name: str, rng: random.Random, happy: bool) -> Canvas:
    tone = (250, 236, 190) if happy else (150, 160, 175)
    canvas = Canvas(SIDE, SIDE, textures.plain(draws.noise("sentiment", name), SIDE, SIDE, tone, 14))
    canvas.pen(SIDE / 2, SIDE + 40, 240).oval(0, 0, 0.5, 0.34, rng.choice(SHIRTS))
    face(canvas.pen(SIDE / 2, 128, rng.uniform(170, 195), turn=rng.uniform(-6, 6)), rng.choice(SKINS), rng.choice(HAIRS), happy)
    return canvas


def _posture(name: str, rng: random.Random, happy: bool) -> Canvas:
    canvas = _weather(draws.noise("sentiment", name), rng, happy)
    figure(canvas.pen(rng.uniform(100, 164), 160, 150), rng.choice(SKINS), rng.choice(SHIRTS), happy)
    return canvas


def _couple(name: str, rng: random.Random, happy: bool) -> Canvas:
    tone = (248, 224, 228) if happy else (128, 132, 146)
    canvas = Canvas(SIDE, SIDE, textures.plain(draws.noise("sentiment", name), SIDE, SIDE, tone, 14))
    for x in (70, 194):
        canvas.pen(x, SIDE + 12, 110).oval(0, 0, 0.5, 0.56, rng.choice(SHIRTS))
        face(canvas.pen(x, 160, 96), rng.choice(SKINS), rng.choice(HAIRS), happy, tears=False)
    heart = canvas.pen(SIDE / 2, 62, 84)
    heart.polygon(SHAPES["heart"][0], COLOURS["red"] if happy else (120, 40, 50))
    if not happy:
        heart.line([(0.02, -0.44), (-0.09, -0.22), (0.08, -0.04), (-0.07, 0.14), (0.03, 0.44)], 0.09, tone)
    return canvas


def _birthday(name: str, rng: random.Random, happy: bool) -> Canvas:
    """Return a child with a cake and balloons, or one whose ice cream fell to the ground."""
    tone = (214, 236, 250) if happy else (150, 156, 164)
    canvas = Canvas(SIDE, SIDE, textures.plain(draws.noise("sentiment", name), SIDE, SIDE, tone, 14))
    canvas.pen().box(0, 212, SIDE, SIDE, (150, 110, 75) if happy else (110, 108, 106))
    canvas.pen(92, 250, 120).oval(0, 0, 0.42, 0.5, rng.choice(SHIRTS))
    face(canvas.pen(92, 132, 118), rng.choice(SKINS), rng.choice(HAIRS), happy)
    if happy:
        for x, y in ((178, 50), (214, 78), (236, 40)):
            balloon(canvas.pen(x, y, 82), rng.choice(SHIRTS))
        cake = canvas.pen(200, 196, 92)
        cake.box(-0.46, -0.06, 0.46, 0.36, (245, 205, 170))
        cake.box(-0.46, -0.06, 0.46, 0.08, (250, 130, 160))
        for u in (-0.28, 0, 0.28):
            candle(canvas.pen(200 + 92 * u, 174, 44), rng.choice(SHIRTS))
        return canvas
    cone = canvas.pen(200, 216, 84, turn=172)
    cone.polygon([(-0.17, 0), (0.17, 0), (0, 0.55)], (215, 160, 90))
    canvas.pen(200, 222, 84).polygon(arc(0, 0, 0.3, 0.15), (250, 200, 215))
    for u, v in ((-0.36, 0.12), (0.34, 0.16)):
        canvas.pen(200, 222, 84).oval(u, v, 0.09, 0.045, (250, 200, 215))
    return canvas


KINDS = {"face": _face, "posture": _posture, "couple": _couple, "birthday": _birthday}


def scenes() -> list[Scene]:
    """Return 56 scenes, 14 of each kind, half of them with a bad mood."""
    made = []
    for kind, draw in KINDS.items():
        for i, happy in enumerate(draws.deal((True, False), EACH, draws.dice("sentiment", kind))):
            name = f"{kind}-{i:02d}"
            canvas = draw(name, draws.dice("sentiment", name), happy)
            made.append(Scene(name, canvas.pixels(), (choice("mood", PHRASINGS, MOODS[not happy], MOODS),)))
    return made
