"""``text``: signs, brands, meters, cranes and web pages, to be read."""

from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Pen
from tools.vqa_pack.record import Question, Scene
from tools.vqa_pack.things import tree

WIDTH, HEIGHT = 320, 240
WHITE, INK = (250, 250, 248), (24, 26, 30)
STREETS = (
    "Alder Lane|Brook Street|Cedar Road|Dover Hill|Ferry Way|Garden Row|Harbour Lane|"
    "Ivy Court|Lake Street|Mill Road|Orchard Way|Park Row|River Lane|Stone Hill"
)
BRANDS = "Veltron|Kumaro|Ossify|Brindal|Tessko|Ludwina|Parvox|Mirabel|Zonick|Harlet|Fennix|Quillon"
INITIALS = "H & K|B & T|R & M|L & S|D & W|P & J|F & N|C & G|A & V|K & Z"
SITES = "cloudkettle|paperfox|windmapper|stonegarden|nightbaker|rivernotes|tinyatlas|greenledger|moonticket|saltharbour"


def scenes() -> list[Scene]:
    """Return 60 scenes: 14 signs, 12 brands, 14 meters, 10 cranes, 10 web pages."""
    made = []
    for kind, (words, draw) in KINDS.items():
        for i, word in enumerate(words):
            name = f"{kind}-{i:02d}"
            canvas = Canvas(WIDTH, HEIGHT, textures.gradient(HEIGHT, WIDTH, (130, 180, 225), (222, 232, 238)))
            question = draw(canvas, draws.dice("text", name), draws.noise("text", name), word)
            made.append(Scene(name, _tilt(canvas.pixels(), draws.dice("text", name, "tilt")), (question,)))
    return made


def _tilt(pixels: Any, rng: random.Random) -> Any:
    """Return the picture as a hand-held camera would see it."""
    corners = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float32)
    moved = np.array([(x + rng.uniform(-12, 12), y + rng.uniform(-9, 9)) for x, y in corners.tolist()], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(pixels, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _written(slot: str, what: str, answer: str, aliases: tuple[str, ...] = ()) -> Question:
    phrasings = (f"What is written on {what}?", f"Read the text on {what}.", f"Which words or letters does {what} bear?")
    return Question(slot, phrasings, "contains", answer, aliases)


def _sign(canvas: Canvas, rng: random.Random, noise: np.random.Generator, word: str) -> Question:
    lawn = textures.grass(noise, HEIGHT, WIDTH, (84, 130, 64), (130, 176, 92))
    canvas.fill(lawn, [(0, 186), (WIDTH, 180), (WIDTH, HEIGHT), (0, HEIGHT)])
    for x in (36, 284):
        tree(canvas.pen(x, 140, rng.uniform(90, 116)), rng.choice(((60, 120, 60), (90, 140, 60), (160, 120, 50))))
    pen = canvas.pen(WIDTH / 2, 104, 1)
    pen.box(-4, 26, 4, 110, (120, 122, 126))
    pen.box(-116, -32, 116, 32, WHITE)
    pen.box(-112, -28, 112, 28, rng.choice(((20, 100, 70), (30, 70, 150), (130, 40, 40))))
    pen.text(0, 0, word.upper(), 27, WHITE, 0.5)
    return _written("sign", "the street sign", word)


def _brand(canvas: Canvas, rng: random.Random, noise: np.random.Generator, word: str) -> Question:
    canvas.fill(
        textures.wood(noise, HEIGHT, WIDTH, (170, 130, 90), (196, 156, 112)), [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    )
    tone = rng.choice(((60, 70, 84), (150, 60, 50), (70, 110, 90), (205, 195, 170)))
    pen = canvas.pen(WIDTH / 2, HEIGHT / 2 + 6, 1)
    pen.polygon([(-110, -60), (110, -60), (128, 92), (-128, 92)], tone)
    pen.box(-70, -96, 70, -52, (238, 236, 230))
    pen.box(-96, -44, 96, -2, (236, 232, 220))
    pen.text(0, -23, word, 32, INK, 0.6)
    for row in range(3):
        for key in range(10):
            pen.oval(-95 + 21 * key + 5 * row, 22 + 24 * row, 8, 8, INK)
            pen.oval(-95 + 21 * key + 5 * row, 21 + 24 * row, 6, 6, (210, 208, 200))
    phrasings = (
        "Which brand made the machine in the picture?",
        "Read the maker's name on the machine.",
        "What is the brand name shown here?",
    )
    return Question("brand", phrasings, "contains", word)


SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abfgcd",
}
LINES = {
    "a": ((0, 0), (1, 0)), "b": ((1, 0), (1, 1)), "c": ((1, 1), (1, 2)), "d": ((0, 2), (1, 2)),
    "e": ((0, 1), (0, 2)), "f": ((0, 0), (0, 1)), "g": ((0, 1), (1, 1)),
}  # fmt: skip


def _digit(pen: Pen, left: float, digit: str) -> None:
    for part in SEGMENTS[digit]:
        (u0, v0), (u1, v1) = LINES[part]
        short = 0.14
        du, dv = (u1 - u0) * short, (v1 - v0) * short
        ends = [(left + 24 * (u0 + du), -26 + 26 * (v0 + dv)), (left + 24 * (u1 - du), -26 + 26 * (v1 - dv))]
        pen.line(ends, 6, (40, 46, 40))


def _meter(canvas: Canvas, rng: random.Random, noise: np.random.Generator, word: str) -> Question:
    wall = textures.plain(noise, HEIGHT, WIDTH, rng.choice(((214, 206, 190), (190, 200, 206))), 22)
    canvas.fill(wall, [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)])
    pen = canvas.pen(WIDTH / 2, 112, 1)
    pen.box(-104, -82, 104, 96, rng.choice(((52, 58, 66), (220, 190, 60), (90, 100, 120))))
    pen.box(-84, -52, 84, 52, INK)
    pen.box(-78, -46, 78, 46, (176, 192, 160))
    left = -sum(12 if mark == "." else 36 for mark in word) / 2 + 4
    for mark in word:
        if mark == ".":
            pen.oval(left, 26, 4, 4, (40, 46, 40))
            left += 12
        else:
            _digit(pen, left, mark)
            left += 36
    for u in (-52, 0, 52):
        pen.oval(u, 74, 11, 11, (200, 60, 50) if u == 0 else (232, 232, 228))
    phrasings = (
        "Which number does the display of the meter show?",
        "Read the meter.",
        "What value stands on the instrument's display?",
    )
    return Question("meter", phrasings, "number", word, tolerance=0)


def _crane(canvas: Canvas, rng: random.Random, noise: np.random.Generator, word: str) -> Question:
    canvas.fill(textures.plain(noise, HEIGHT, WIDTH, (120, 130, 140), 30), [(0, 206), (WIDTH, 206), (WIDTH, HEIGHT), (0, HEIGHT)])
    tone = rng.choice(((225, 170, 30), (200, 60, 40), (50, 90, 160)))
    pen = canvas.pen(0, 0, 1)
    for u in (70, 250):
        pen.polygon([(u - 12, 214), (u - 6, 84), (u + 6, 84), (u + 12, 214)], tone)
        for v in range(100, 210, 18):
            pen.line([(u - 9, v), (u + 9, v + 14)], 2.5, tuple(round(c * 0.7) for c in tone))
    pen.box(14, 40, 306, 96, tone)
    pen.text(160, 68, word, 42, WHITE if tone[0] != 225 else INK, 0.8)
    pen.line([(200, 96), (200, 150)], 2, INK)
    pen.box(178, 150, 222, 180, (130, 90, 60))
    a, b = word.split(" & ")
    return _written("crane", "the crane", word, (f"{a} and {b}", f"{a}&{b}", f"{a}{b}"))


def _site(canvas: Canvas, rng: random.Random, noise: np.random.Generator, word: str) -> Question:
    canvas.fill(textures.plain(noise, HEIGHT, WIDTH, (96, 100, 112), 26), [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)])
    pen = canvas.pen(WIDTH / 2, HEIGHT / 2, 1)
    pen.box(-142, -104, 142, 98, INK)
    pen.box(-134, -96, 134, 90, WHITE)
    pen.box(-134, -96, 134, -76, (212, 216, 222))
    for u in (-124, -112, -100):
        pen.oval(u, -86, 4, 4, (150, 154, 160))
    tone = rng.choice(((40, 90, 170), (170, 60, 90), (40, 130, 110)))
    pen.box(-134, -76, 134, -30, tone)
    pen.text(0, -53, word, 30, WHITE, 0.4)
    for v in range(-14, 84, 16):
        pen.box(-118, v, rng.uniform(-30, 0), v + 6, (200, 204, 210))
    pen.box(20, -14, 118, 74, tuple((c + 255) // 2 for c in tone))
    phrasings = (
        "Which web site is open on this screen?",
        "Read the name of the web page.",
        "What is the site in the picture called?",
    )
    return Question("site", phrasings, "contains", word)


def _readings() -> list[str]:
    """Return 14 readings of two to four digits, half of them with a decimal point."""
    rng = draws.dice("text", "readings")
    whole = [str(rng.randint(10, 9999)) for _ in range(7)]
    return [word for n in whole for word in (n, f"{rng.randint(0, 99)}.{rng.randint(1, 9)}")]


KINDS = {
    "sign": (STREETS.split("|"), _sign),
    "brand": (BRANDS.split("|"), _brand),
    "meter": (_readings(), _meter),
    "crane": (INITIALS.split("|"), _crane),
    "site": (SITES.split("|"), _site),
}
