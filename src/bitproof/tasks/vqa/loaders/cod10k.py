"""``cod10k:DIR``: is a camouflaged animal there, and which?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, pictures_below

THERE = ("Is there an animal in this picture?", "Look closely: can you find an animal?", "Does an animal hide in this scene?")
WHICH = ("Which animal is in this picture?", "Name the animal that hides here.", "What animal can be found in this scene?")
_NAME = re.compile(r"COD10K-(CAM|NonCAM)-\d+-[A-Za-z]+-\d+-([A-Za-z]+)-\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Cod10k(Loader):
    """COD10K, ``split`` Test or Train: is an animal there, as often as not; of those that are there, which.

    Layout: ``<split>/Image/COD10K-<CAM|NonCAM>-<n>-<class>-<n>-<subclass>-<n>.jpg``, known from the data set's own README.
    Non-camouflaged pictures may show animals in plain view, so only those of the subclass ``Other`` are asked about as negatives;
    that these show none is inferred from the list of classes.
    """

    split: str = "Test"

    name: ClassVar[str] = "cod10k"
    source: ClassVar[str] = "COD10K (Fan et al., CVPR 2020)"
    layout: ClassVar[str] = (
        "Expected: Test/Image/COD10K-CAM-1-Aquatic-9-GhostPipefish-1.jpg and COD10K-NonCAM-5-Other-69-Other-1.jpg."
    )
    licence: ClassVar[str] = "not commercial"

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield whether an animal is there, and which. Raises DataError."""
        hidden, empty = [], []
        for path in pictures_below(root / self.split / "Image"):
            found = _NAME.fullmatch(path.stem)
            if not found:
                raise DataError(f"The name of {str(path)!r} does not say what it shows. {self.layout}")
            if found[1].lower() == "cam":
                hidden.append((path, found[2]))
            elif found[2].lower() == "other":
                empty.append((path, ""))
        for pictures, there in zip(self.paired(hidden, empty, self.layout), (True, False), strict=True):
            for path, kind in pictures:
                yield self.yes_no(path, path.stem, "there", "camouflage", THERE, there)
                if there and kind.lower() != "other":
                    answer = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", kind)).lower()
                    aliases = (answer.replace(" ", ""),) if " " in answer else ()
                    yield self.ask(path, path.stem, "which", "camouflage", WHICH, "contains", answer, aliases=aliases)
