"""``coco:DIR``: pictures with the boxes and outlines of what is in them, for detectors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError, Spec, SpecError, bind, seed
from bitproof.tasks.sources.coco import LAYOUT, Annotated, CocoFile
from bitproof.tasks.sources.files import FileBytes, explained, folder

NAME = "coco"

#: How a detector's labels are the file's categories: by their ids, or by their place in the order of the ids.
LABELS = {"ids": None, "from0": 0, "from1": 1}


@dataclass(frozen=True)
class Thing:
    """A thing in a picture: its label, its box (left, top, right, bottom) in px, and its area in px², 0 where none is written.

    ``outline``: polygons or run lengths as COCO writes them, None where there are none. A ``crowd`` is many things in one.
    """

    label: int
    box: tuple[float, float, float, float]
    area: float
    crowd: bool
    outline: Any


@dataclass(frozen=True)
class Scene:
    """A picture, sides in px, and what is in it."""

    path: Path
    width: int
    height: int
    things: tuple[Thing, ...]

    def read(self) -> bytes:
        """Return the picture's file. Raises DataError."""
        return FileBytes(self.path)()


@dataclass(frozen=True)
class Scenes:
    """Pictures in order of their ids, and label → name of every category; ``where`` is what messages call them."""

    where: str
    scenes: tuple[Scene, ...]
    names: dict[int, str]
    settings: Coco

    def check_labels(self, classes: int | None) -> None:
        """Raise DataError unless a detector whose labels are 1 to ``classes`` − 1 speaks of these categories.

        As with classifiers, the largest label must lie in the upper half, unless ``labels=`` says how the two belong together.
        """
        largest = max(self.names, default=0)
        if classes is None or (largest < classes and (self.settings.labels is not None or 2 * (largest + 1) > classes)):
            return
        raise DataError(
            f"{self.where}: the largest label is {largest} ({self.names.get(largest)!r}) and the detector's are below {classes}, "
            "so they may count other categories. Write behind the folder how they belong together: labels=ids, or labels=from1 "
            "(from0) where the detector counts the categories in the order of their ids."
        )

    def drawn(self, n: int | None) -> list[Scene]:
        """Return ``n`` pictures drawn by seed 0, in their order; without ``n`` all that ``first`` chose, else 32, or all if fewer.

        Raises DataError where there are fewer than ``n``.
        """
        there = len(self.scenes)
        wanted = n if n is not None else there if self.settings.first is not None else min(32, there)
        if wanted > there:
            raise DataError(f"{wanted} calibration pictures were asked of {self.where}, which holds {there}.")
        chosen = random.Random(seed(0, NAME, self.settings.split)).sample(range(there), wanted)
        return [self.scenes[i] for i in sorted(chosen)]

    def without(self, used: Sequence[Path]) -> list[Scene]:
        """Return the pictures that are none of ``used``. Raises DataError where none is left."""
        taken = {path.resolve() for path in used}
        left = [scene for scene in self.scenes if scene.path.resolve() not in taken]
        if not left:
            raise DataError(
                f"All {len(self.scenes)} pictures of {self.where} are calibrated on, and none is left to be evaluated. "
                "Calibrate on fewer (-n), or on another split (split=train2017)."
            )
        return left


@dataclass(frozen=True)
class Coco:
    """MS COCO's boxes and outlines: coco:DIR[,split=val2017,first=N,masks=true|false,labels=ids|from0|from1].

    ``first``: so many pictures in the order of their ids. ``masks``: whether outlines are scored too; left out, where the detector
    gives some. ``labels``: the detector answers the categories' own ids, as torchvision's do, or counts the categories in the
    order of their ids from 0 or 1. Layout: annotations/instances_<split>.json, pictures in <split>/ or images/<split>/.
    """

    where: str
    split: str = "val2017"
    first: int | None = None
    masks: bool | None = None
    labels: str | None = None

    source: ClassVar[str] = "MS COCO (arXiv 1405.0312), instances"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.labels is not None and self.labels not in LABELS:
            raise SpecError(f"labels={self.labels!r} is unknown: {', '.join(LABELS)}.")
        if self.first is not None and self.first < 1:
            raise SpecError(f"first={self.first}: one picture or more.")

    def load(self) -> Scenes:
        """Read the annotations, and look whether every picture is there. Raises DataError naming what is missing or broken."""
        root = folder(self.where)
        file = CocoFile.read(root, self.split)
        chosen = sorted(file.photos)[: self.first]
        if not chosen:
            raise DataError(f"{str(file.path)!r} names no pictures. {LAYOUT}")
        labels = self._labels(file)
        things: dict[int, list[Thing]] = {image: [] for image in chosen}
        for each in file.annotations():
            if each.image in things:
                things[each.image].append(_thing(each, labels[each.category]))
        scenes = tuple(_scene(file, image, things[image]) for image in chosen)
        names = {labels[category]: name for category, name in file.categories.items()}
        return Scenes(f"{str(root)!r} ({self.split})", scenes, names, self)

    def _labels(self, file: CocoFile) -> dict[int, int]:
        start = LABELS[self.labels or "ids"]
        ordered = sorted(file.categories)
        return {category: category if start is None else start + i for i, category in enumerate(ordered)}


def is_coco(spec: str) -> bool:
    """Whether ``spec`` names data in COCO's format. Raises SpecError for what is no spec."""
    return Spec.parse(spec).name == NAME


def coco(spec: str) -> Coco:
    """Return the settings that ``coco:DIR…`` spells. Raises SpecError for other data: boxes are read of COCO's format alone."""
    if not is_coco(spec):
        raise SpecError(f"{spec!r}: a detector is evaluated on data in COCO's format. Type for example coco:DIR,split=val2017.")
    return bind(Spec.parse(spec), Coco)


def _thing(each: Annotated, label: int) -> Thing:
    left, top, width, height = each.box
    area = each.record.get("area")
    written = float(area) if isinstance(area, int | float) else 0.0
    return Thing(label, (left, top, left + width, top + height), written, each.crowd, each.record.get("segmentation") or None)


def _scene(file: CocoFile, image: int, things: Sequence[Thing]) -> Scene:
    photo, path = file.photos[image], file.place(image)
    with explained(path):
        if not path.is_file():
            raise DataError(f"The picture {str(path)!r} is missing, and {file.path.name!r} names it. {LAYOUT}")
    return Scene(path, photo.width, photo.height, tuple(things))
