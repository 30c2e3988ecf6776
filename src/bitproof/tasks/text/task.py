"""The task ``text``: how a sample's row is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import SITES
from bitproof.tasks.classes import OneClass
from bitproof.tasks.scores import Score, number_scores, scores
from bitproof.tasks.text.data import TextData


@dataclass(frozen=True)
class TextTask(OneClass):
    """One class, or one number, for a sentence or a pair of them.

    A number is right within half a unit, and its class is the nearest whole one; its correlation is a figure of ``analysis``, made
    from the rows' ``value`` and ``target``.
    Source: GLUE (arXiv 1804.07461).
    """

    kind: ClassVar[str] = "text"
    sites: ClassVar[tuple[str, ...]] = SITES["text"]
    source: ClassVar[str] = "GLUE (arXiv 1804.07461)"

    data: TextData

    def clean(self, form: Any) -> dict[str, str]:
        """The model's own tokenizer."""
        return {"tokens": "tokens"}

    def score_batch(self, logits: Any, labels: Sequence[Any]) -> list[Score]:
        """Score logits N×classes against labels, or N×1 against numbers. Raises ModelError."""
        return number_scores(logits, labels) if self.data.number else scores(logits, labels)
