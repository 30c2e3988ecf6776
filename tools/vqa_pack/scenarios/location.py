"""``location``: in which of nine fields of the picture does a thing lie?"""

from __future__ import annotations

import math

from tools.vqa_pack import draws, textures
from tools.vqa_pack.canvas import Canvas
from tools.vqa_pack.record import Scene, choice
from tools.vqa_pack.scenarios.presence import GROUNDS, KNOWN, TONES

SIDE, EACH = 300, 6
FIELDS = tuple(
    "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"
    for row in ("top", "middle", "bottom")
    for column in ("left", "centre", "right")
)


def scenes() -> list[Scene]:
    """Return 54 scenes, six for each field."""
    rng = draws.dice("location")
    fields = draws.deal(range(9), 9 * EACH, rng)
    names = draws.deal(list(KNOWN), 9 * EACH, rng)
    return [_scene(f"{i:02d}", field, name) for i, (field, name) in enumerate(zip(fields, names, strict=True))]


def _scene(scene: str, field: int, name: str) -> Scene:
    rng = draws.dice("location", scene)
    canvas = Canvas(SIDE, SIDE, textures.plain(draws.noise("location", scene), SIDE, SIDE, rng.choice(GROUNDS), 12))
    taken = [field, *rng.sample([f for f in range(9) if f != field], rng.randint(3, 4))]
    others = rng.sample([k for k in KNOWN if k != name and not {k, name} <= {"bird", "duck"}], len(taken) - 1)
    for place, kind in zip(taken, (name, *others), strict=True):
        x, y = ((v + 0.5) * SIDE / 3 + rng.uniform(-6, 6) for v in (place % 3, math.floor(place / 3)))
        KNOWN[kind][0](canvas.pen(x, y, rng.uniform(72, 82)), rng.choice(TONES))
    the = "are the scissors" if name == "scissors" else f"is the {name}"
    it = "the scissors" if name == "scissors" else f"the {name}"
    phrasings = (
        f"Where in the picture {the}?",
        f"Think of the picture as three rows of three fields. In which field {the}?",
        f"Give the position of {it} within the picture.",
    )
    return Scene(scene, canvas.pixels(), (choice("field", phrasings, FIELDS[field], FIELDS),))
