"""The task ``keyword``: one clip of speech, one word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import SITES, Clip
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.scores import Score, scores


@dataclass(frozen=True)
class KeywordTask:
    """Keyword spotting, top-1: one word a clip of fixed length.

    Source: Speech Commands (1804.03209). Differs from the paper: each sample keeps its row.
    """

    kind: ClassVar[str] = "keyword"
    sites: ClassVar[tuple[str, ...]] = SITES["keyword"]
    source: ClassVar[str] = "Speech Commands (arXiv 1804.03209): single-word classification, top-1"
    version: ClassVar[int] = 1

    spec: str
    data: ImageData

    @property
    def rules(self) -> tuple[str, ...]:
        """Nothing: the version says it all."""
        return ()

    def truth(self, sample: Sample) -> int:
        """The sample's word."""
        return sample.label

    def clean(self, form: Clip) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does."""
        return {"decode": "decode-sndfile", "resample": form.resample, "features": form.features}

    def score_batch(self, logits: Any, labels: Sequence[int]) -> list[Score]:
        """Score logits N×classes; see ``scores``. Raises ModelError."""
        return scores(logits, labels)
