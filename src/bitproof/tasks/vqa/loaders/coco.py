"""``coco:DIR``: presence, location, relation and affordance from MS COCO's boxes."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import seed
from bitproof.tasks.sources.coco import LAYOUT, CocoFile
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, a

FIELDS = tuple(
    "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"
    for row in ("top", "middle", "bottom")
    for column in ("left", "centre", "right")
)
#: Part of the picture from which on a thing is asked about.
LARGE = 0.01

#: Purpose → the categories that serve it; pictures with one that only might serve are not asked about.
PURPOSES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "lie down to sleep": (("bed",), ("couch", "bench")),
    "wash one's hands": (("sink",), ()),
    "keep food cold": (("refrigerator",), ()),
    "read the time": (("clock",), ("tv", "cell phone", "laptop")),
}


@dataclass(frozen=True)
class _Box:
    """A thing in a picture: its category, and its sides as parts of the picture's."""

    name: str
    left: float
    top: float
    right: float
    bottom: float
    crowd: bool = False

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True)
class _View:
    """A picture: its file, its name, what is in it, draws of its own, and category → the part of all pictures that it is in."""

    path: Path
    group: str
    boxes: list[_Box]
    draws: random.Random
    shares: dict[str, float]

    @property
    def names(self) -> set[str]:
        return {box.name for box in self.boxes}

    @property
    def single(self) -> list[_Box]:
        """The boxes whose category comes once, of one thing and not a crowd, and that are large enough."""
        times = Counter(box.name for box in self.boxes)
        crowds = {box.name for box in self.boxes if box.crowd}
        return [box for box in self.boxes if times[box.name] == 1 and box.name not in crowds and box.area >= LARGE]


@dataclass(frozen=True)
class Coco(Loader):
    """MS COCO, ``split`` val2017: is a thing there, where, left of or above another, and does something serve a purpose.

    Things of a hundredth of the picture and more are asked about, those whose category comes once where place matters. Absent
    things are drawn as often as they are present elsewhere. COCO has no attributes; the scenario ``attributes`` needs other data.
    Layout: ``annotations/instances_<split>.json`` and the pictures in ``<split>/`` or ``images/<split>/``; known from COCO's own
    format page and the readers of pycocotools.
    """

    split: str = "val2017"

    name: ClassVar[str] = "coco"
    source: ClassVar[str] = "MS COCO (arXiv 1405.0312), instances"
    layout: ClassVar[str] = LAYOUT
    licence: ClassVar[str] = "annotations CC BY 4.0; pictures by their Flickr licences"

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield what each picture allows. Raises DataError."""
        file = CocoFile.read(root, self.split)
        boxes = _boxes(file)
        often = Counter(name for here in boxes.values() for name in {box.name for box in here})
        shares = {name: count / len(boxes) for name, count in sorted(often.items())}
        for image, here in sorted(boxes.items()):
            draws = random.Random(seed(self.name, self.split, image))
            view = _View(file.place(image), f"{self.split}/{image}", here, draws, shares)
            for made in (self._presence, self._location, self._relation, self._affordance):
                yield from made(view)

    def _presence(self, view: _View) -> Iterator[Question]:
        there = sorted({box.name for box in view.boxes if box.area >= LARGE})
        absent = {name: share for name, share in view.shares.items() if name not in view.names}
        if there and absent:
            yes = view.draws.random() < 0.5
            name = view.draws.choice(there) if yes else view.draws.choices([*absent], [*absent.values()])[0]
            phrasings = (f"Is there {a(name)} in the picture?", f"Does the picture show {a(name)}?", f"Can {a(name)} be seen here?")
            yield self.yes_no(view.path, view.group, "presence", "presence", phrasings, yes)

    def _location(self, view: _View) -> Iterator[Question]:
        placed = [(box, answer) for box in view.single if (answer := _field(box)) is not None]
        if placed:
            box, answer = view.draws.choice(placed)
            phrasings = (
                f"Where in the picture is the {box.name}?",
                f"Three rows of three fields divide the picture. In which is the middle of the {box.name}?",
            )
            yield self.ask(view.path, view.group, "location", "location", phrasings, "choice", answer, options=FIELDS)

    def _relation(self, view: _View) -> Iterator[Question]:
        pairs = [(one, two) for one in view.single for two in view.single]
        held = [(one, two, "to the left of") for one, two in pairs if one.right < two.left]
        held += [(one, two, "above") for one, two in pairs if one.bottom < two.top]
        if held:
            one, two, words = view.draws.choice(held)
            yes = view.draws.random() < 0.5
            first, second = (one.name, two.name) if yes else (two.name, one.name)
            phrasings = (f"Is the {first} {words} the {second}?", f"In the picture, does the {first} lie {words} the {second}?")
            yield self.yes_no(view.path, view.group, "relation", "relation", phrasings, yes)

    def _affordance(self, view: _View) -> Iterator[Question]:
        for i, (verb, (serves, arguable)) in enumerate(PURPOSES.items()):
            yes = any(box.name in serves and box.area >= LARGE for box in view.boxes)
            drawn = view.draws.random() < sum(view.shares.get(name, 0) for name in serves)  # negatives about as often as positives
            if yes or (drawn and not view.names & {*serves, *arguable}):
                phrasings = (
                    f"Does this picture show anything with which one could {verb}?",
                    f"Could one {verb} with what is shown?",
                )
                yield self.yes_no(view.path, view.group, f"affordance-{i}", "affordance", phrasings, yes)


def _field(box: _Box) -> str | None:
    """Return which of the nine fields holds the middle, None where it is within a twelfth of a side of a border between fields."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    if min(abs(v - border / 3) for v in (x, y) for border in (1, 2)) < 1 / 12:
        return None
    return FIELDS[3 * min(int(3 * y), 2) + min(int(3 * x), 2)]


def _boxes(file: CocoFile) -> dict[int, list[_Box]]:
    """Return what is in each picture that has an annotation. Raises DataError."""
    boxes: dict[int, list[_Box]] = defaultdict(list)
    for each in file.annotations():
        photo, (x, y, wide, high) = file.photos[each.image], each.box
        sides = x / photo.width, y / photo.height, (x + wide) / photo.width, (y + high) / photo.height
        boxes[each.image].append(_Box(file.categories[each.category], *sides, each.crowd))
    return boxes
