"""``presence``: is a named thing among those in the picture? Scenes come in pairs that differ in that thing alone."""

from __future__ import annotations

from tools.vqa_pack import draws, textures
from tools.vqa_pack.animals import ANIMALS
from tools.vqa_pack.canvas import Canvas, Colour
from tools.vqa_pack.record import Scene, yes_no
from tools.vqa_pack.shapes import COLOURS
from tools.vqa_pack.things import THINGS

SIDE, PAIRS = 288, 32
GROUNDS: tuple[Colour, ...] = ((214, 232, 244), (244, 236, 216), (226, 240, 222), (240, 228, 236))
TONES = [COLOURS[name] for name in ("red", "orange", "yellow", "green", "blue", "purple")]
KNOWN = {**THINGS, **ANIMALS}


def a(name: str) -> str:
    """Return the name behind its article; what is cut with in two halves is plural."""
    return name if name == "scissors" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def ask(name: str, there: bool) -> tuple[str, ...]:
    """Return the phrasings of the question for ``name``."""
    article, verb = a(name), "Are" if name == "scissors" else "Is"
    return (f"{verb} there {article} in the picture?", f"Does the picture show {article}?", f"Can you see {article} here?")


def scenes() -> list[Scene]:
    """Return 32 pairs, of which one has the thing and the other something else in its place."""
    rng = draws.dice("presence")
    asked = draws.deal(list(KNOWN), PAIRS, rng)
    return [scene for i, name in enumerate(asked) for scene in _pair(i, name)]


def _pair(i: int, name: str) -> list[Scene]:
    rng = draws.dice("presence", i)
    like = ANIMALS if name in ANIMALS else THINGS
    instead = rng.choice([other for other in like if other != name and not {name, other} <= {"bird", "duck"}])
    others = rng.sample([o for o in KNOWN if o not in (name, instead)], rng.randint(3, 5))
    if name in ("bird", "duck"):
        others = [o for o in others if o not in ("bird", "duck")]
    sizes = [rng.uniform(70, 86) for _ in (name, *others)]
    spots, tones = draws.places(rng, sizes, SIDE, SIDE, 2), [rng.choice(TONES) for _ in sizes]
    ground = textures.plain(draws.noise("presence", i), SIDE, SIDE, rng.choice(GROUNDS), 12)
    pair = []
    for there in (True, False):
        canvas = Canvas(SIDE, SIDE, ground)
        for kind, size, (x, y), tone in zip((name if there else instead, *others), sizes, spots, tones, strict=True):
            KNOWN[kind][0](canvas.pen(x, y, size), tone)
        scene = f"{i:02d}-{'with' if there else 'without'}"
        pair.append(Scene(scene, canvas.pixels(), (yes_no("presence", ask(name, there), there),)))
    return pair
