"""``tiny-imagenet-c:DIR``: naming what a small corrupted picture shows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import DataError, SpecError
from bitproof.tasks.sources.files import entries, is_folder
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, pictures_below

PHRASINGS = ("Which object or animal does the picture show?", "Name the main thing in this picture.", "What is shown here?")


@dataclass(frozen=True)
class TinyImageNetC(Loader):
    """Tiny-ImageNet-C: the class of 64×64 pictures under each corruption at ``severity``, the first ``per_class`` of a class.

    An answer that holds one of the synset's words is right. The data set knows no number of things, so none is asked for.
    Layout: ``<corruption>/<severity>/<synset>/*.JPEG``, as the published archive unpacks; known from several readers of it.
    """

    severity: int = 3
    per_class: int = 1

    name: ClassVar[str] = "tiny-imagenet-c"
    source: ClassVar[str] = "Tiny-ImageNet-C (arXiv 1903.12261)"
    layout: ClassVar[str] = "Expected: <corruption>/<severity>/<synset>/*.JPEG, as gaussian_noise/3/n01443537/val_0.JPEG."

    def __post_init__(self) -> None:
        if not 1 <= self.severity <= 5 or self.per_class < 1:
            raise SpecError(
                f"{self.name}: severity is 1 to 5 and per_class 1 or more; asked: {self.severity} and {self.per_class}."
            )

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield one question a picture. Raises DataError."""
        corruptions = [Path(entry.path) for entry in entries(root) if is_folder(entry)]
        found = [corruption / str(self.severity) for corruption in corruptions if (corruption / str(self.severity)).is_dir()]
        if not found:
            raise DataError(f"{str(root)!r} holds no corruption of severity {self.severity}. {self.layout}")
        for level in found:
            for entry in entries(level):
                if is_folder(entry):
                    yield from self._class(level.parent.name, Path(entry.path))

    def _class(self, corruption: str, path: Path) -> Iterator[Question]:
        first, *others = words(path.name, self.layout)
        for picture in pictures_below(path)[: self.per_class]:
            group = f"{corruption}/{self.severity}/{path.name}/{picture.stem}"
            yield self.ask(picture, group, "name", "corrupted", PHRASINGS, "contains", first, aliases=tuple(others))


@functools.cache
def _wordnet() -> Any:
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet-22k")


def words(synset: str, layout: str) -> list[str]:
    """Return what WordNet calls a synset, as timm's table has it. Raises DataError for an unknown one."""
    info = _wordnet()
    if synset not in info.label_names():
        raise DataError(f"{synset!r} is no synset of ImageNet. {layout}")
    return [word.strip() for word in info.label_name_to_description(synset).split(",")]
