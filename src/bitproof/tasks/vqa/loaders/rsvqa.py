"""``rsvqa-lr:DIR``: questions about satellite pictures, in the data set's own words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from bitproof.core import DataError
from bitproof.tasks.sources.files import FileBytes, explained
from bitproof.tasks.sources.records import field, read_json, records
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader

#: RSVQA's classes of counts, with the largest count of each.
BINS = {
    "0": 0.0,
    "between 1 and 10": 10.0,
    "between 11 and 100": 100.0,
    "between 101 and 1000": 1000.0,
    "more than 1000": float("inf"),
}


@dataclass(frozen=True)
class TiffAsPng(FileBytes):
    """Reads a TIFF file as PNG, which every decoder of bitproof knows, without loss. Raises DataError where it cannot."""

    def __call__(self) -> bytes:
        """Return the bytes of the PNG file."""
        file = io.BytesIO()
        with explained(self.path):
            Image.open(self.path).convert("RGB").save(file, "PNG")
        return file.getvalue()


@dataclass(frozen=True)
class RsvqaLr(Loader):
    """RSVQA low resolution, ``split`` test, val or train: rural or urban, is there something, comparisons, and how many.

    Counts are asked for in the five classes of the data set's paper. Layout: ``LR_split_<split>_questions.json`` and
    ``…_answers.json``, of whose records those with ``active`` count, and ``Images_LR/<img_id>.tif``; known from several readers of
    it. The TIFF files are handed on as PNG.
    """

    split: str = "test"

    name: ClassVar[str] = "rsvqa-lr"
    source: ClassVar[str] = "RSVQA, low resolution (arXiv 2003.07333)"
    layout: ClassVar[str] = "Expected: LR_split_test_questions.json, LR_split_test_answers.json, Images_LR/<img_id>.tif."
    licence: ClassVar[str] = "CC BY 4.0"

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield the active questions. Raises DataError."""
        answers = {field(each, "question_id", int, path): each for path, each in self._active(root, "answers")}
        pictures = root / "Images_LR"
        for path, each in self._active(root, "questions"):
            number, image = field(each, "id", int, path), field(each, "img_id", int, path)
            if number not in answers:
                raise DataError(f"{str(path)!r}: the question {number} has no answer in LR_split_{self.split}_answers.json.")
            answer = str(answers[number].get("answer", "")).strip().lower()
            asked = (field(each, "question", str, path).strip().rstrip("?") + "?",)
            kind, more = _kind(field(each, "type", str, path), answer)
            tif = pictures / f"{image}.tif"
            made = self.ask(tif, str(image), str(number), "remote-sensing", asked, kind, more.pop("answer", answer), **more)
            yield replace(made, read=TiffAsPng(tif))

    def _active(self, root: Path, what: str) -> Iterator[tuple[Path, Any]]:
        path = root / f"LR_split_{self.split}_{what}.json"
        for each in records(read_json(path, self.layout), what, path):
            if each.get("active"):
                yield path, each


def _kind(asked: str, answer: str) -> tuple[str, dict[str, Any]]:
    """Return the type of an answer and the item's further fields; an unknown type of question is asked as text."""
    if asked == "rural_urban":
        return "choice", {"options": ("rural", "urban")}
    if asked == "count" and answer.isdigit():
        return "choice", {"options": tuple(BINS), "answer": next(name for name, most in BINS.items() if int(answer) <= most)}
    if answer in ("yes", "no"):
        return "yes-no", {"negative": asked == "presence" and answer == "no"}
    return "exact", {}
