"""``affordance``: what in a room serves a purpose, and does anything in it?"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Colour
from tools.vqa_pack.furniture import FURNITURE
from tools.vqa_pack.record import Question, Scene, yes_no
from tools.vqa_pack.shapes import COLOURS

WIDTH, HEIGHT, FLOOR = 336, 252, 176
WALLS: tuple[Colour, ...] = ((232, 222, 200), (206, 222, 232), (222, 232, 208), (236, 214, 214))


@dataclass(frozen=True)
class Purpose:
    """What one may want to do; which things serve it, what else could be argued to, and how one would say it."""

    verb: str
    serves: tuple[str, ...]
    arguable: tuple[str, ...] = ()


PURPOSES = {
    "sit": Purpose("sit down on a seat", ("chair", "sofa"), ("bed", "hammock", "bathtub", "piano", "bin")),
    "sleep": Purpose("lie down to sleep", ("bed", "hammock"), ("sofa", "bathtub", "chair")),
    "wash": Purpose("wash one's hands", ("washbasin",), ("bathtub",)),
    "bathe": Purpose("have a bath", ("bathtub",), ("washbasin",)),
    "chill": Purpose("keep milk cold", ("fridge",), ("window",)),
    "cook": Purpose("boil soup", ("stove",)),
    "read": Purpose("choose a novel to read", ("bookshelf",)),
    "time": Purpose("find out what time it is", ("clock",), ("television", "stove", "window")),
    "view": Purpose("look at the hills outside", ("window",), ("television",)),
    "light": Purpose("read in the evening by electric light", ("lamp",), ("television", "fridge", "stove")),
    "music": Purpose("play music with one's fingers", ("piano",)),
    "throw": Purpose("throw waste paper away", ("bin",)),
    "hang": Purpose("hang up one's coat", ("coat stand",), ("chair", "hammock")),
    "watch": Purpose("watch a football match", ("television",), ("window",)),
}
ALSO_CALLED = {
    "chair": ("seat", "stool"),
    "sofa": ("couch", "settee", "loveseat"),
    "washbasin": ("sink", "basin", "wash basin", "tap", "faucet"),
    "bathtub": ("bath", "tub"),
    "fridge": ("refrigerator",),
    "stove": ("cooker", "oven", "hob", "range", "pot"),
    "bookshelf": ("bookcase", "shelf", "shelves", "books"),
    "bin": ("waste bin", "wastebasket", "trash can", "trash", "basket", "waste basket"),
    "coat stand": ("coat rack", "coatrack", "coat tree", "hat stand", "hall tree", "rack"),
    "television": ("tv", "screen"),
    "lamp": ("floor lamp", "light"),
}


def scenes() -> list[Scene]:
    """Return 32 rooms with the thing to be named and 28 with yes or no, half of each purpose."""
    named = [(key, thing) for key, purpose in PURPOSES.items() for thing in purpose.serves] * 2
    rooms = [_named(f"which-{i:02d}", key, thing) for i, (key, thing) in enumerate(named)]
    pairs = [(key, there) for key in PURPOSES for there in (True, False)]
    return rooms + [_whether(f"whether-{i:02d}", key, there) for i, (key, there) in enumerate(pairs)]


def _room(name: str, things: list[str], rng: random.Random) -> Canvas:
    noise = draws.noise("affordance", name)
    canvas = Canvas(WIDTH, HEIGHT, textures.plain(noise, HEIGHT, WIDTH, rng.choice(WALLS), 12))
    boards = textures.wood(noise, HEIGHT, WIDTH, (168, 124, 82), (190, 146, 100))
    canvas.fill(boards, [(0, FLOOR), (WIDTH, FLOOR), (WIDTH, HEIGHT), (0, HEIGHT)])
    canvas.pen().box(0, FLOOR - 5, WIDTH, FLOOR, (245, 242, 235))
    standing = [t for t in things if not FURNITURE[t][2]]
    hanging = [t for t in things if FURNITURE[t][2]]
    rng.shuffle(standing)
    for row, floor in ((hanging, None), (standing, 228)):
        for i, thing in enumerate(row):
            size = 78 * FURNITURE[thing][1]
            x = WIDTH * (i + 0.5) / len(row)
            y = 46 if floor is None else floor - size / 2
            FURNITURE[thing][0](canvas.pen(x, y, size), rng.choice([COLOURS[c] for c in ("red", "green", "blue", "purple")]))
    return canvas


def _others(purpose: Purpose, rng: random.Random, count: int) -> list[str]:
    """Return things that do not serve the purpose, not even arguably; one of them hangs where one can."""
    free = [t for t in FURNITURE if t not in (*purpose.serves, *purpose.arguable)]
    standing, hanging = [t for t in free if not FURNITURE[t][2]], [t for t in free if FURNITURE[t][2]]
    return rng.sample(standing, count - len(hanging[:1])) + rng.sample(hanging, len(hanging[:1]))


def _named(name: str, key: str, thing: str) -> Scene:
    rng, purpose = draws.dice("affordance", name), PURPOSES[key]
    others = _others(purpose, rng, 3)
    canvas = _room(name, [thing, *others], rng)
    phrasings = (
        f"Which thing in this room would one use to {purpose.verb}?",
        f"Somebody in this room wants to {purpose.verb}. What serves for that?",
        f"Name the object in the picture that lets a person {purpose.verb}.",
    )
    wrong = tuple(t for t in (*purpose.serves, *purpose.arguable, *others) if t != thing)
    return Scene(name, canvas.pixels(), (Question("which", phrasings, "contains", thing, ALSO_CALLED.get(thing, ()), wrong),))


def _whether(name: str, key: str, there: bool) -> Scene:
    rng, purpose = draws.dice("affordance", name), PURPOSES[key]
    things = _others(purpose, rng, 4)
    if there:
        things[0] = rng.choice(purpose.serves)
    phrasings = (
        f"Is there anything in this room with which one could {purpose.verb}?",
        f"With what the picture shows, could a person {purpose.verb} here?",
        f"Does this room hold something that lets one {purpose.verb}?",
    )
    return Scene(name, _room(name, things, rng).pixels(), (yes_no("whether", phrasings, there),))
