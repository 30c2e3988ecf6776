"""``iocfish5k:DIR`` and ``mpid-rain:DIR``: how many, from points and boxes in XML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, lines, pictures_below, read_xml

FISH = ("How many fish are in this picture?", "Count the fish.", "What is the number of fish that can be seen?")
VEHICLES = (
    "How many motor vehicles are in this picture?",
    "Count the cars, buses, lorries and motorcycles.",
    "What is the number of motor vehicles here?",
)
#: What boxes of vehicles are called, in the words of Pascal VOC, COCO and KITTI.
MOTOR = frozenset({"car", "bus", "truck", "van", "lorry", "motorbike", "motorcycle", "vehicle"})


@dataclass(frozen=True)
class IocFish5k(Loader):
    """IOCfish5K: the number of fish under water, right within 10 %; ``split`` is test, val or train.

    Layout: ``images/<id>.jpg``, ``annotations/<id>.xml`` with one ``object/point`` a fish, ``<split>_id.txt``; known from the
    data set's own README.
    """

    split: str = "test"

    name: ClassVar[str] = "iocfish5k"
    source: ClassVar[str] = "IOCfish5K (arXiv 2304.11677)"
    layout: ClassVar[str] = "Expected: images/<id>.jpg, annotations/<id>.xml, test_id.txt."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one count a picture of the split. Raises DataError."""
        for line in lines(root / f"{self.split}_id.txt", self.layout):
            stem = Path(line).stem
            count = len(read_xml(root / "annotations" / f"{stem}.xml", self.layout).findall(".//object/point"))
            group = f"{self.split}/{stem}"
            path = root / "images" / f"{stem}.jpg"
            more = {"tolerance": 0.1, "negative": count == 0}
            yield self.ask(path, group, "count", "counting", FISH, "number", str(count), **more)


@dataclass(frozen=True)
class MpidRain(Loader):
    """Streets in rain with boxes, as MPID's (RID, RIS): the number of motor vehicles, exactly.

    **The published layout could not be confirmed.** Read is Pascal VOC: every ``*.xml`` below the folder whose picture has the same
    name, beside it or anywhere below; each ``object`` whose ``name`` is a motor vehicle counts. Other annotations: ``folder:``.
    """

    name: ClassVar[str] = "mpid-rain"
    source: ClassVar[str] = "MPID (arXiv 1903.08558), real rainy pictures with boxes"
    layout: ClassVar[str] = "Expected: Pascal VOC files *.xml and pictures of the same names, anywhere below the folder."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one count a picture with boxes. Raises DataError."""
        pictures = defaultdict(list)
        for picture in pictures_below(root):
            pictures[picture.stem].append(picture)
        for path in sorted(root.rglob("*.xml")):
            if not (same := pictures.get(path.stem)):
                raise DataError(f"{str(path)!r} has no picture {path.stem}.jpg or .png. {self.layout}")
            picture = next((picture for picture in same if picture.parent == path.parent), same[0])
            group = path.relative_to(root).with_suffix("").as_posix()
            names = [(each.findtext("name") or "").strip().lower() for each in read_xml(path, self.layout).findall("object")]
            count = sum(name in MOTOR for name in names)
            more = {"tolerance": 0.0, "negative": count == 0}
            yield self.ask(picture, group, "vehicles", "rain", VEHICLES, "number", str(count), **more)
