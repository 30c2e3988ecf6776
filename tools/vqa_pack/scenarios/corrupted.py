"""``corrupted``: several animals of one kind in a small picture under one of four corruptions; which, and how many?"""

from __future__ import annotations

from typing import Any

from bitproof.core import seed
from bitproof.noises import corrupt
from tools.vqa_pack import draws, textures
from tools.vqa_pack.animals import ANIMALS
from tools.vqa_pack.canvas import Canvas
from tools.vqa_pack.record import Question, Scene, number
from tools.vqa_pack.shapes import COLOURS

SIDE = 192
CORRUPTIONS = ("gaussian_noise:3", "defocus_blur:3", "fog:3", "pixelate:3")
COUNTS = range(2, 8)
NEAR = {"bird": ("duck",), "duck": ("bird",)}
TONES = {
    "fish": "orange",
    "bird": "blue",
    "duck": "yellow",
    "butterfly": "purple",
    "cat": "black",
    "snail": "brown",
    "tortoise": "green",
}


def scenes() -> list[Scene]:
    """Return 14 scenes, two for each animal, each under the four corruptions."""
    kinds = [kind for kind in ANIMALS for _ in range(2)]
    counts = draws.deal(COUNTS, len(kinds), draws.dice("corrupted"))
    drawn = [_draw(i, kind, n) for i, (kind, n) in enumerate(zip(kinds, counts, strict=True))]
    return [
        Scene(
            f"{i:02d}-{spec.partition(':')[0].replace('_', '-')}",
            corrupt(pixels, spec, seed("vqa-pack", draws.VERSION, "corrupted", i)),
            _questions(kinds[i], counts[i]),
        )
        for i, pixels in enumerate(drawn)
        for spec in CORRUPTIONS
    ]


def _draw(i: int, kind: str, count: int) -> Any:
    rng = draws.dice("corrupted", i)
    ground = textures.plain(draws.noise("corrupted", i), SIDE, SIDE, rng.choice(((206, 228, 240), (224, 238, 214))), 24)
    canvas = Canvas(SIDE, SIDE, ground)
    size = 58 if count < 5 else 48
    for x, y in draws.places(rng, [size] * count, SIDE, SIDE, 1):
        ANIMALS[kind][0](canvas.pen(x, y, size, turn=rng.uniform(-12, 12), flip=rng.random() < 0.5), COLOURS[TONES[kind]])
    return canvas.pixels()


def _questions(kind: str, count: int) -> tuple[Question, Question]:
    which = (
        "Which kind of animal does the picture show?",
        "All animals here are of one kind. Name it.",
        "What are the animals in this picture called?",
    )
    many = ("How many animals are in the picture?", "Count the animals.", "What is the number of animals shown?")
    wrong = tuple(other for other in ANIMALS if other != kind and other not in NEAR.get(kind, ()))
    return Question("which", which, "contains", kind, ANIMALS[kind][1], wrong), number("count", many, count)
