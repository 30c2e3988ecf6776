"""What one sample's logits say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np

from bitproof.core import ModelError

#: How far a number may be off and still be right.
HALF = 0.5


class Score(TypedDict):
    """What one sample's logits say: the fields of that name in a row."""

    prediction: int
    correct: bool
    margin: float
    loss: float
    confidence: float
    value: NotRequired[float]
    target: NotRequired[float]


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


def number_scores(values: Any, targets: Sequence[float]) -> list[Score]:
    """Score N×1 answers against N numbers, in float64: right within half a unit; see ``SampleRow``.

    Raises ModelError for another shape, and for an answer that is NaN or infinite.
    """
    z, y = np.asarray(values, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if z.shape != (len(y), 1) or not np.isfinite(z).all():
        raise ModelError(f"A number a sample was expected, finite; found {z.shape} for {len(y)} samples. Type classes=1.")
    return [_number_score(*pair) for pair in zip(z[:, 0].tolist(), y.tolist(), strict=True)]


def _number_score(value: float, target: float) -> Score:
    off = abs(value - target)
    return Score(
        prediction=round(value),
        correct=off <= HALF,
        margin=HALF - off,
        loss=off**2,
        confidence=float("nan"),
        value=value,
        target=target,
    )
