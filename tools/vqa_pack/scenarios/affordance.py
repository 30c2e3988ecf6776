"""``affordance``: what in a room serves a purpose, where is it, and is there anything that does?

No question names a purpose that one thing alone could serve and asks for that thing: it could be answered without looking.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas, Colour
from tools.vqa_pack.furniture import FURNITURE
from tools.vqa_pack.record import Question, Scene, choice, yes_no
from tools.vqa_pack.shapes import COLOURS

WIDTH, HEIGHT, FLOOR = 336, 252, 176
COLUMNS = ("left", "middle", "right")
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
    "water": Purpose("draw water from a tap", ("washbasin", "bathtub"), ("stove", "fridge")),
    "sound": Purpose("hear music or a football match", ("piano", "television"), ("clock",)),
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
    """Return 24 rooms with a thing to be named, 32 with one to be found, 32 with yes or no, half of each purpose."""
    several = [(key, thing) for key, purpose in PURPOSES.items() for thing in purpose.serves if len(purpose.serves) > 1]
    rooms = [_which(f"which-{i:02d}", key, thing) for i, (key, thing) in enumerate(several * 3)]
    columns = draws.deal(range(3), 2 * len(PURPOSES), draws.dice("affordance"))
    rooms += [_where(f"where-{i:02d}", key, columns[i]) for i, key in enumerate([*PURPOSES, *PURPOSES])]
    pairs = [(key, there) for key in PURPOSES for there in (True, False)]
    return rooms + [_whether(f"whether-{i:02d}", key, there) for i, (key, there) in enumerate(pairs)]


def _room(name: str, things: list[str], rng: random.Random, first: int | None = None) -> Canvas:
    """Draw the room; ``first`` is the column of the first thing, drawn like the others' where it is None."""
    noise = draws.noise("affordance", name)
    canvas = Canvas(WIDTH, HEIGHT, textures.plain(noise, HEIGHT, WIDTH, rng.choice(WALLS), 12))
    boards = textures.wood(noise, HEIGHT, WIDTH, (168, 124, 82), (190, 146, 100))
    canvas.fill(boards, [(0, FLOOR), (WIDTH, FLOOR), (WIDTH, HEIGHT), (0, HEIGHT)])
    canvas.pen().box(0, FLOOR - 5, WIDTH, FLOOR, (245, 242, 235))
    for hangs in (True, False):
        row = [thing for thing in things if FURNITURE[thing][2] == hangs]
        columns = rng.sample(range(3), 3)
        if first is not None and things[0] in row:
            columns = [first, *(column for column in columns if column != first)]
        for thing, column in zip(row, columns, strict=False):
            size = 78 * FURNITURE[thing][1]
            pen = canvas.pen(WIDTH * (column + 0.5) / 3, 46 if hangs else 228 - size / 2, size)
            FURNITURE[thing][0](pen, rng.choice([COLOURS[c] for c in ("red", "green", "blue", "purple")]))
    return canvas


def _others(purpose: Purpose, rng: random.Random, count: int) -> list[str]:
    """Return things that do not serve the purpose, not even arguably; one of them hangs where one can."""
    free = [t for t in FURNITURE if t not in (*purpose.serves, *purpose.arguable)]
    standing, hanging = [t for t in free if not FURNITURE[t][2]], [t for t in free if FURNITURE[t][2]]
    return rng.sample(standing, count) + rng.sample(hanging, len(hanging[:1]))


def _which(name: str, key: str, thing: str) -> Scene:
    rng, purpose = draws.dice("affordance", name), PURPOSES[key]
    others = _others(purpose, rng, 2)
    canvas = _room(name, [thing, *others], rng)
    phrasings = (
        f"Which thing in this room would one use to {purpose.verb}?",
        f"Somebody in this room wants to {purpose.verb}. What serves for that?",
        f"Name the object in the picture that lets a person {purpose.verb}.",
    )
    wrong = tuple(t for t in (*purpose.serves, *purpose.arguable, *others) if t != thing)
    return Scene(name, canvas.pixels(), (Question("which", phrasings, "contains", thing, ALSO_CALLED.get(thing, ()), wrong),))


def _where(name: str, key: str, column: int) -> Scene:
    rng, purpose = draws.dice("affordance", name), PURPOSES[key]
    canvas = _room(name, [rng.choice(purpose.serves), *_others(purpose, rng, 2)], rng, column)
    phrasings = (
        f"Where in this room could one {purpose.verb}?",
        f"In which part of the picture is the thing with which one can {purpose.verb}?",
        f"Somebody here wants to {purpose.verb}. To which side of the room should they go?",
    )
    return Scene(name, canvas.pixels(), (choice("where", phrasings, COLUMNS[column], COLUMNS),))


def _whether(name: str, key: str, there: bool) -> Scene:
    rng, purpose = draws.dice("affordance", name), PURPOSES[key]
    things = _others(purpose, rng, 3)
    if there:
        things[0] = rng.choice(purpose.serves)
    phrasings = (
        f"Is there anything in this room with which one could {purpose.verb}?",
        f"With what the picture shows, could a person {purpose.verb} here?",
        f"Does this room hold something that lets one {purpose.verb}?",
    )
    return Scene(name, _room(name, things, rng).pixels(), (yes_no("whether", phrasings, there),))
