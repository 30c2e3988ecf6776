"""``textvqa:DIR``: reading text in photographs, in the data set's own questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bitproof.tasks.sources.records import field, inside, read_json, records
from bitproof.tasks.vqa.items import Question
from bitproof.tasks.vqa.loaders.base import Loader

#: What annotators write where there is nothing to read.
NOTHING = frozenset({"", "unanswerable", "answering does not require reading text in the image"})


@dataclass(frozen=True)
class TextVqa(Loader):
    """TextVQA 0.5.1, ``split`` val or train: the answer that most of ten people gave, and those that three and more gave.

    Questions without such an answer are left out. Layout: ``TextVQA_0.5.1_<split>.json`` with ``data`` = records of
    ``question_id``, ``image_id``, ``question``, ``answers``, and ``train_images/<image_id>.jpg``; known from several readers of it.
    """

    split: str = "val"

    name: ClassVar[str] = "textvqa"
    source: ClassVar[str] = "TextVQA (arXiv 1904.08920)"
    layout: ClassVar[str] = "Expected: TextVQA_0.5.1_val.json and train_images/<image_id>.jpg."

    def questions(self, root: Path) -> Iterator[Question]:
        """Yield the questions that people agree on. Raises DataError."""
        path = root / f"TextVQA_0.5.1_{self.split}.json"
        for each in records(read_json(path, self.layout), "data", path):
            given = Counter(str(text).strip() for text in field(each, "answers", list, path))
            agreed = [text for text, times in given.most_common() if times >= 3 and text.lower() not in NOTHING]
            if agreed and agreed[0] == given.most_common(1)[0][0]:
                image, number = field(each, "image_id", str, path), field(each, "question_id", int, path)
                asked = (field(each, "question", str, path).strip(),)
                picture = inside(root / "train_images", f"{image}.jpg", path)
                yield self.ask(picture, image, str(number), "text", asked, "contains", agreed[0], aliases=tuple(agreed[1:]))
