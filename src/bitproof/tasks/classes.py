"""What tasks of one class a sample have in common, whatever the sample is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.scores import Score, scores


@dataclass(frozen=True)
class OneClass:
    """One class a sample, top-1 unless a subclass scores otherwise; it says what the samples and the clean occupants are."""

    version: ClassVar[int] = 1

    spec: str
    data: ImageData

    @property
    def rules(self) -> tuple[str, ...]:
        """Nothing: the version says it all."""
        return ()

    def truth(self, sample: Sample) -> int:
        """The sample's class."""
        return sample.label

    def score_batch(self, logits: Any, labels: Sequence[int]) -> list[Score]:
        """Score logits N×classes; see ``scores``. Raises ModelError."""
        return scores(logits, labels)
