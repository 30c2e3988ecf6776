"""A folder of MS COCO: its annotations file and where its pictures lie, for questions and for detectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitproof.core import DataError
from bitproof.tasks.sources.records import field, inside, read_json, records

LAYOUT = "Expected: annotations/instances_val2017.json, and its pictures in val2017/ or images/val2017/."


@dataclass(frozen=True)
class Photo:
    """A picture by its file's name, and its sides in px."""

    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Annotated:
    """One annotation: the ids of its picture and category, its box (left, top, width, height) in px, and all that was written."""

    image: int
    category: int
    box: tuple[float, float, float, float]
    record: dict[str, Any]

    @property
    def crowd(self) -> bool:
        """Whether it stands for many things at once."""
        return bool(self.record.get("iscrowd"))


@dataclass(frozen=True)
class CocoFile:
    """What an annotations file holds: category id → name, picture id → picture; ``folder`` has the pictures."""

    path: Path
    folder: Path
    categories: dict[int, str]
    photos: dict[int, Photo]
    written: list[dict[str, Any]]

    @classmethod
    def read(cls, root: Path, split: str) -> CocoFile:
        """Read ``root``/annotations/instances_``split``.json; pictures lie in ``split`` or images/``split``. Raises DataError."""
        path = root / "annotations" / f"instances_{split}.json"
        data = read_json(path, LAYOUT)
        names = {field(each, "id", int, path): field(each, "name", str, path) for each in records(data, "categories", path)}
        photos = {field(each, "id", int, path): _photo(each, path) for each in records(data, "images", path)}
        folders = root / split, root / "images" / split
        folder = next((found for found in folders if found.is_dir()), folders[0])
        return cls(path, folder, names, photos, records(data, "annotations", path))

    def place(self, image: int) -> Path:
        """Return where a picture lies. Raises DataError for a name that leads out of the folder."""
        return inside(self.folder, self.photos[image].name, self.path)

    def annotations(self) -> Iterator[Annotated]:
        """Yield all annotations. Raises DataError for one without a known category, picture or box."""
        for each in self.written:
            image, category = field(each, "image_id", int, self.path), field(each, "category_id", int, self.path)
            box, photo = field(each, "bbox", list, self.path), self.photos.get(image, Photo("", 0, 0))
            if not self.categories.get(category) or min(photo.width, photo.height) < 1 or not _is_box(box):
                raise DataError(
                    f"{str(self.path)!r}: an annotation of the picture {image} has no known category, picture or box. {LAYOUT}"
                )
            yield Annotated(image, category, (box[0], box[1], box[2], box[3]), each)


def _photo(record: dict[str, Any], path: Path) -> Photo:
    return Photo(*(field(record, key, kind, path) for key, kind in (("file_name", str), ("width", int), ("height", int))))


def _is_box(box: list[Any]) -> bool:
    return len(box) == 4 and all(isinstance(v, int | float) and math.isfinite(v) for v in box)
