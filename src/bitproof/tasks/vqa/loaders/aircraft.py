"""``fgvc-aircraft:DIR``: an aircraft's family, manufacturer and variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader, lines

SLOTS = {
    "family": ("Which family of aircraft is this, such as Boeing 737?", "Name the aircraft's family, such as Boeing 737."),
    "manufacturer": ("Who made this aircraft?", "Name the manufacturer of the aircraft in the picture."),
    "variant": ("Which variant of aircraft is this, such as 737-700?", "Name the aircraft's exact variant, such as 737-700."),
}
ALSO_CALLED = {
    "British Aerospace": ("BAE", "BAe", "BAE Systems"),
    "McDonnell Douglas": ("McDonnell-Douglas",),
    "Bombardier Aerospace": ("Bombardier",),
    "Lockheed Corporation": ("Lockheed",),
    "Lockheed Martin": ("Lockheed",),
    "de Havilland": ("De Havilland Canada", "DHC"),
}


@dataclass(frozen=True)
class FgvcAircraft(Loader):
    """FGVC-Aircraft, ``split`` test, val, train or trainval: three questions a picture.

    An answer that holds the label is right, with the maker's name before it or without. Pictures are sent as they are, a strip with
    the photographer's name included. Layout: ``data/images/<id>.jpg`` and ``data/images_<slot>_<split>.txt``, a line an id and a
    label; known from the data set's README and torchvision's reader.
    """

    split: str = "test"

    name: ClassVar[str] = "fgvc-aircraft"
    source: ClassVar[str] = "FGVC-Aircraft (arXiv 1306.5151)"
    layout: ClassVar[str] = (
        "Expected: data/images/<id>.jpg, data/images_family_test.txt, …_manufacturer_test.txt, …_variant_test.txt."
    )
    licence: ClassVar[str] = "not commercial, research only"

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield family, manufacturer and variant of each picture. Raises DataError."""
        inner = root / "fgvc-aircraft-2013b"
        data = (inner if inner.is_dir() else root) / "data"
        labels = {slot: self._labels(data / f"images_{slot}_{self.split}.txt") for slot in SLOTS}
        for image in labels["family"]:
            maker = labels["manufacturer"].get(image, "")
            for slot, phrasings in SLOTS.items():
                if image not in labels[slot]:
                    raise DataError(f"The picture {image} has a family but no {slot}. {self.layout}")
                answer = labels[slot][image]
                path = data / "images" / f"{image}.jpg"
                aliases = _aliases(answer, maker)
                yield self.ask(path, image, slot, "fine-grained", phrasings, "contains", answer, aliases=aliases)

    def _labels(self, path: Path) -> dict[str, str]:
        """Return picture → label of one file."""
        split = (line.partition(" ") for line in lines(path, self.layout))
        return {image: label.strip() for image, _, label in split}


def _aliases(answer: str, maker: str) -> tuple[str, ...]:
    """Return how else a label is said: without its maker, or as usage has it."""
    short = answer.removeprefix(f"{maker} ") if maker else answer
    return tuple(dict.fromkeys(word for word in (short, *ALSO_CALLED.get(answer, ())) if word and word != answer))
