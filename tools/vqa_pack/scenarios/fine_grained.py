"""``fine-grained``: drawn aircraft told apart by engines, tail and stripes; the question holds the key, names are invented."""

from __future__ import annotations

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Colour, Pen, shade
from tools.vqa_pack.record import Question, Scene
from tools.vqa_pack.shapes import COLOURS

WIDTH, HEIGHT, COUNT = 336, 216, 24
FAMILIES = {
    "Heron": "one engine hanging below the wing",
    "Osprey": "two engines hanging below the wing",
    "Swift": "no engine below the wing but one beside the tail",
    "Plover": "a propeller on the nose and no other engine",
}
MAKERS = {
    "Norvik": "the tailplane sits on top of the fin",
    "Calder": "the tailplane sits low on the body",
    "Tamsin": "the tailplane crosses the fin half-way up",
}
VARIANTS = {"100": "one stripe on the fin", "200": "two stripes on the fin", "300": "three stripes on the fin"}
BODY: Colour = (246, 247, 250)
DARK: Colour = (70, 78, 92)


def scenes() -> list[Scene]:
    """Return 24 aircraft with three questions each; every family, maker and variant comes equally often."""
    rng = draws.dice("fine-grained")
    hands = zip(*(draws.deal(list(words), COUNT, rng) for words in (FAMILIES, MAKERS, VARIANTS)), strict=True)
    return [_scene(f"{i:02d}", *hand) for i, hand in enumerate(hands)]


def _scene(name: str, family: str, maker: str, variant: str) -> Scene:
    rng = draws.dice("fine-grained", name)
    canvas = Canvas(WIDTH, HEIGHT, textures.gradient(HEIGHT, WIDTH, (110, 170, 225), (214, 232, 246)))
    noise = draws.noise("fine-grained", name)
    ground = textures.plain(noise, HEIGHT, WIDTH, rng.choice(((120, 160, 90), (150, 150, 145), (170, 160, 120))), 40)
    canvas.fill(ground, [(0, 190), (WIDTH, 186), (WIDTH, HEIGHT), (0, HEIGHT)])
    pen = canvas.pen(WIDTH / 2, 108, 290, turn=rng.uniform(-5, 4), flip=rng.random() < 0.5)
    tone = COLOURS[rng.choice(("red", "orange", "green", "blue", "purple"))]
    _aircraft(pen, family, maker, int(variant) // 100, tone)
    questions = (
        _question("family", "family", FAMILIES, family),
        _question("maker", "manufacturer", MAKERS, maker),
        _question("variant", "variant", VARIANTS, variant),
    )
    return Scene(name, canvas.pixels(), questions)


def _question(slot: str, word: str, key: dict[str, str], answer: str) -> Question:
    listed = "; ".join(f"{name}: {mark}" for name, mark in key.items())
    phrasings = (
        f"What is the {word} of this aircraft? Key: {listed}.",
        f"Use this key to name the aircraft's {word}. {listed}.",
        f"Identify the {word} of the aircraft by these marks: {listed}.",
    )
    return Question(slot, phrasings, "contains", answer, (), tuple(name for name in key if name != answer))


def _aircraft(pen: Pen, family: str, maker: str, stripes: int, tone: Colour) -> None:
    _fin(pen, maker, stripes, tone)
    pen.curve(
        [(-0.47, -0.02), (-0.2, -0.065), (0.3, -0.065), (0.46, -0.01), (0.47, 0.03), (0.3, 0.065), (-0.2, 0.065), (-0.4, 0.02)],
        BODY,
    )
    pen.box(-0.34, 0.012, 0.4, 0.026, tone)
    for i in range(17):
        pen.oval(-0.27 + 0.035 * i, -0.018, 0.009, 0.012, DARK)
    pen.polygon([(0.38, -0.035), (0.42, -0.02), (0.43, 0.0), (0.385, -0.005)], DARK)
    if maker == "Calder":
        pen.polygon([(-0.44, -0.01), (-0.32, -0.01), (-0.4, 0.035), (-0.5, 0.035)], (176, 184, 198))
    pen.polygon([(-0.02, 0.03), (0.14, 0.03), (-0.02, 0.16), (-0.13, 0.16)], (196, 203, 214))
    _engines(pen, family)


def _fin(pen: Pen, maker: str, stripes: int, tone: Colour) -> None:
    fin = [(-0.46, -0.02), (-0.5, -0.26), (-0.4, -0.26), (-0.26, -0.04)]
    pen.polygon(fin, tone)
    for i in range(stripes):
        top = -0.232 + 0.042 * i
        edges = [(-0.5 + 0.167 * (v + 0.26), -0.4 + 0.636 * (v + 0.26), v) for v in (top, top + 0.018)]
        (l0, r0, v0), (l1, r1, v1) = edges
        pen.polygon([(l0, v0), (r0, v0), (r1, v1), (l1, v1)], BODY)
    height = {"Norvik": -0.275, "Tamsin": -0.08}.get(maker)
    if height is not None:
        pen.polygon([(-0.57, height), (-0.36, height), (-0.33, height + 0.022), (-0.57, height + 0.022)], (120, 130, 148))


def _engines(pen: Pen, family: str) -> None:
    places = {"Heron": [(0.05, 0.12)], "Osprey": [(0.12, 0.095), (-0.0, 0.145)], "Swift": [(-0.3, -0.035)]}.get(family, [])
    for u, v in places:
        pen.curve([(u - 0.06, v - 0.02), (u + 0.05, v - 0.035), (u + 0.05, v + 0.035), (u - 0.06, v + 0.02)], (140, 148, 162))
        pen.oval(u + 0.055, v, 0.012, 0.034, DARK)
    if family == "Plover":
        pen.oval(0.475, 0.01, 0.025, 0.02, DARK)
        for side in (-1, 1):
            pen.oval(0.482, 0.01 + 0.075 * side, 0.012, 0.07, shade(DARK, 1.3))
