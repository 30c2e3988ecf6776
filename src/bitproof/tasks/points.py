"""The task ``points``: one shape, one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import SITES, Cloud
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.scores import Score, scores


@dataclass(frozen=True)
class PointsTask:
    """Classification of shapes by a cloud of their points, top-1 over all samples.

    Source: ModelNet (1406.5670). Differs from the paper: each sample keeps its row; accuracy is over samples, not over classes.
    """

    kind: ClassVar[str] = "points"
    sites: ClassVar[tuple[str, ...]] = SITES["points"]
    source: ClassVar[str] = "ModelNet (arXiv 1406.5670): classification of shapes, top-1"
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

    def clean(self, form: Cloud) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does."""
        return {"decode": "decode-shape", "sample": form.sample, "frame": form.frame}

    def score_batch(self, logits: Any, labels: Sequence[int]) -> list[Score]:
        """Score logits N×classes; see ``scores``. Raises ModelError."""
        return scores(logits, labels)
