"""``attributes``: four shapes on a table; shape, colour, pattern or size of one of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas
from tools.vqa_pack.record import Question, Scene, choice
from tools.vqa_pack.shapes import COLOURS, PATTERNS, SHAPES, draw

SIDE, COUNT = 288, 16
TABLES = ((236, 230, 214), (226, 234, 238), (232, 226, 236), (228, 236, 224))
ALSO_CALLED = {"purple": ("violet",), "brown": ("dark brown",)}


@dataclass(frozen=True)
class Thing:
    """One shape of a scene."""

    shape: str
    colour: str
    pattern: str
    size: float


def _things(rng: random.Random, target: Thing, wide: bool) -> list[Thing]:
    """Return the target and three others; no shape and no colour comes twice, sizes differ by a third where ``wide``."""
    shapes = rng.sample([s for s in SHAPES if s != target.shape], 3)
    colours = rng.sample([c for c in COLOURS if c != target.colour], 3)
    sizes = (54, 54, 54) if wide else (60, 74, 88)
    others = [Thing(s, c, rng.choice(PATTERNS), size) for s, c, size in zip(shapes, colours, sizes, strict=True)]
    return [target, *others]


def _paint(name: str, things: list[Thing], rng: random.Random) -> Canvas:
    table = textures.plain(draws.noise("attributes", name), SIDE, SIDE, rng.choice(TABLES), 14)
    canvas = Canvas(SIDE, SIDE, table)
    for thing, (x, y) in zip(things, draws.places(rng, [t.size for t in things], SIDE, SIDE, 8), strict=True):
        draw(canvas.pen(x, y, thing.size), thing.shape, COLOURS[thing.colour], thing.pattern)
    return canvas


def _but(words: Iterable[str], answer: str) -> tuple[str, ...]:
    """Return the words that make an answer wrong: all others of their kind."""
    return tuple(word for word in words if word != answer)


def _shape(target: Thing, _: Thing) -> Question:
    phrasings = (
        f"What shape is the {target.colour} object?",
        f"Name the shape of the thing that is {target.colour}.",
        f"One object is {target.colour}. Which shape does it have?",
    )
    return Question("shape", phrasings, "contains", target.shape, SHAPES[target.shape][1], _but(SHAPES, target.shape))


def _colour(target: Thing, _: Thing) -> Question:
    phrasings = (
        f"What colour is the {target.shape}? White parts of a pattern do not count.",
        f"Name the colour of the {target.shape}, leaving out any white in its pattern.",
        f"Apart from white, which colour does the {target.shape} have?",
    )
    return Question(
        "colour", phrasings, "contains", target.colour, ALSO_CALLED.get(target.colour, ()), _but(COLOURS, target.colour)
    )


def _pattern(target: Thing, _: Thing) -> Question:
    phrasings = (
        f"How is the {target.shape} filled?",
        f"Which pattern does the {target.shape} show?",
        f"Describe the surface of the {target.colour} object.",
    )
    return choice("pattern", phrasings, target.pattern, PATTERNS)


def _size(target: Thing, other: Thing) -> Question:
    a, b = sorted((target.shape, other.shape))
    phrasings = (
        f"Which of the two is larger, the {a} or the {b}?",
        f"Compare the {a} with the {b}: which one is bigger?",
        f"Of the {a} and the {b}, which takes up more of the picture?",
    )
    return choice("size", phrasings, target.shape if target.size > other.size else other.shape, (a, b))


ASKED = {"shape": _shape, "colour": _colour, "pattern": _pattern, "size": _size}


def scenes() -> list[Scene]:
    """Return 64 scenes: 16 ask for each attribute, answers dealt evenly."""
    return [scene for asked in ASKED for scene in _scenes(asked)]


def _scenes(asked: str) -> list[Scene]:
    rng = draws.dice("attributes", asked)
    hands = zip(
        draws.deal(list(SHAPES), COUNT, rng),
        draws.deal(list(COLOURS), COUNT, rng),
        draws.deal(PATTERNS, COUNT, rng),
        draws.deal((True, False), COUNT, rng),
        strict=True,
    )
    return [_scene(asked, f"{asked}-{i:02d}", *hand) for i, hand in enumerate(hands)]


def _scene(asked: str, name: str, shape: str, colour: str, pattern: str, first: bool) -> Scene:
    rng = draws.dice("attributes", name)
    target = Thing(shape, colour, pattern, 96)
    things = _things(rng, target, wide=asked == "size")
    other = next((t for t in things[1:] if (t.shape > shape) == first), things[1])
    if asked == "size":  # the option in front is the larger one as often as not
        others = [s for s in SHAPES if (s > shape) == first and s != shape] or [s for s in SHAPES if s != shape]
        other = Thing(rng.choice(others), other.colour, other.pattern, other.size)
        things = [target, other, *[t for t in things[1:] if t.shape != other.shape and t.colour != other.colour][:2]]
    canvas = _paint(name, things, rng)
    return Scene(name, canvas.pixels(), (ASKED[asked](target, other),))
