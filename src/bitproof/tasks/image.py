"""The task ``image``: one picture, one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np

from bitproof.core import SITES, Geometry, ModelError
from bitproof.tasks.data import ImageData, Sample


class Score(TypedDict):
    """What one sample's logits say: the fields of that name in a row."""

    prediction: int
    correct: bool
    margin: float
    loss: float
    confidence: float


def scores(logits: Any, labels: Sequence[int]) -> list[Score]:
    """Score logits N×classes against N labels, in float64.

    prediction = argmax z (the first of equals); margin = z_y − max_{j≠y} z_j; loss = log Σ exp z_j − z_y in nats;
    confidence = exp(max z − log Σ exp z_j). Raises ModelError for logits of another shape, fewer than two classes, a label
    without a logit, and a logit that is NaN or infinite.
    """
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    _check(z, y)
    rows = np.arange(len(z))
    top = z.max(axis=1)
    total = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    true = z[rows, y]
    others = z.copy()
    others[rows, y] = -np.inf
    prediction = z.argmax(axis=1)
    columns = (prediction, prediction == y, true - others.max(axis=1), total - true, np.exp(top - total))
    return [
        Score(prediction=p, correct=c, margin=m, loss=loss, confidence=q)
        for p, c, m, loss, q in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _check(z: Any, y: Any) -> None:
    if z.ndim != 2 or z.shape[1] < 2 or y.shape != z.shape[:1]:
        raise ModelError(f"Logits must be samples × at least 2 classes with a label each; found {z.shape} and {y.size} labels.")
    if not np.isfinite(z).all():
        row, column = np.argwhere(~np.isfinite(z))[0]
        raise ModelError(f"The model's logit of class {column} is {z[row, column]} in row {row} of the batch, not a finite number.")
    outside = y[(y < 0) | (y >= z.shape[1])]
    if outside.size:
        raise ModelError(f"The label {outside[0]} has no logit: the model has {z.shape[1]} classes, 0 to {z.shape[1] - 1}.")


@dataclass(frozen=True)
class ImageTask:
    """Image classification, top-1: one label a picture.

    Source: RobustMQ (2308.02350). Differs from the paper: the geometry is the model's own, and each sample keeps its row.
    """

    kind: ClassVar[str] = "image"
    sites: ClassVar[tuple[str, ...]] = SITES["image"]
    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350): single-label classification, top-1"
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

    def clean(self, geometry: Geometry) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does; sites without one pass the picture on."""
        return {"decode": "decode-pil", "resize": geometry.interpolation}

    def score(self, logits: Any, label: int) -> Score:
        """Score the logits of one sample, an array of one dimension; see ``scores``. Raises ModelError."""
        return scores(np.asarray(logits, dtype=np.float64)[None], [label])[0]

    def score_batch(self, logits: Any, labels: Sequence[int]) -> list[Score]:
        """Score logits N×classes; see ``scores``. Raises ModelError."""
        return scores(logits, labels)
