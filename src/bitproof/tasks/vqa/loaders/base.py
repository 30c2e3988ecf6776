"""What every loader shares: its settings' frame, how a question is made, and files that are missing or broken."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from xml.etree import ElementTree

from bitproof.core import DataError, seed
from bitproof.tasks.data import ImageData
from bitproof.tasks.sources.files import FileBytes, content, explained, folder
from bitproof.tasks.sources.records import read_text
from bitproof.tasks.vqa.items import Item, Question, question, questions_data

T = TypeVar("T")

#: Extensions of pictures that are sent on as they are.
PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Loader(ABC):
    """A data set in a folder. ``layout`` is what messages say of its files, ``licence`` what its makers allow, as far as known."""

    where: str

    task: ClassVar[str] = "vqa"
    version: ClassVar[int] = 1
    name: ClassVar[str]
    source: ClassVar[str]
    layout: ClassVar[str]
    licence: ClassVar[str] = "see the data set"

    @abstractmethod
    def questions(self, root: Path) -> Iterable[Question]:
        """Make the questions of the data set in ``root``. Raises DataError."""

    def load(self) -> ImageData:
        """Read the annotations and look at every picture's size. Raises DataError naming what is missing."""
        root = folder(self.where)
        asked = list(self.questions(root))
        if not asked:
            raise DataError(f"{str(root)!r} gives no questions. {self.layout}")
        paths = sorted({cast(FileBytes, each.read).path for each in asked})
        sizes = [self._size(path) for path in paths]
        told = zip((path.relative_to(root) if path.is_relative_to(root) else path.name for path in paths), sizes, strict=True)
        return questions_data(f"{root} ({self.name})", asked, self.name, self.version, *told, *content(paths, sum(sizes)))

    def _size(self, path: Path) -> int:
        if not path.is_file():
            raise DataError(f"The picture {str(path)!r} is missing. {self.layout}")
        with explained(path):
            return path.stat().st_size

    def ask(
        self, path: Path, group: str, slot: str, scenario: str, phrasings: Sequence[str], kind: str, answer: str, **more: Any
    ) -> Question:
        """Return one question about the picture at ``path``; ``more`` are further fields of an item."""
        more |= {"scenario": scenario, "questions": tuple(phrasings), "answer_type": kind, "answer": answer, "group": group}
        return question(Item(item=f"{group}/{slot}", licence=self.licence, source=self.source, **more), FileBytes(path))

    def yes_no(self, path: Path, group: str, slot: str, scenario: str, phrasings: Sequence[str], yes: bool) -> Question:
        """Return a question of presence; "no" makes it a negative."""
        answer = "yes" if yes else "no"
        return self.ask(path, group, slot, scenario, phrasings, "yes-no", answer, negative=not yes)

    def paired(self, positives: Sequence[T], negatives: Sequence[T], lacking: str) -> tuple[list[T], list[T]]:
        """Return as many of each, drawn by name from the longer. Raises DataError for none of one kind: ``lacking`` says what."""
        if not positives or not negatives:
            found = f"{len(positives)} positive and {len(negatives)} negative pictures"
            raise DataError(f"{self.where!r}: found {found}; both are needed, or one word would answer all. {lacking}")
        count = min(len(positives), len(negatives))
        draws = random.Random(seed(self.name, "paired"))
        return draws.sample(positives, count), draws.sample(negatives, count)


def pictures_below(root: Path) -> list[Path]:
    """Return all JPEG and PNG files below ``root``, sorted; none where there is no such folder."""
    with explained(root):
        return sorted(path for path in root.rglob("*") if path.suffix.lower() in PICTURES and not path.name.startswith("."))


def read_xml(path: Path, layout: str) -> ElementTree.Element:
    """Return the root element of an XML file. Raises DataError."""
    try:
        return ElementTree.fromstring(read_text(path, layout))
    except ElementTree.ParseError as error:
        raise DataError(f"{str(path)!r} is no XML: {error}.") from None


def lines(path: Path, layout: str) -> Iterator[str]:
    """Yield a file's lines without blanks at their ends, empty ones left out. Raises DataError."""
    yield from (line.strip() for line in read_text(path, layout).splitlines() if line.strip())


def a(name: str) -> str:
    """Return ``name`` behind its article."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
