"""The task ``image``: one picture, one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bitproof.core import SITES, Geometry
from bitproof.tasks.classes import OneClass
from bitproof.tasks.scores import Score, scores


@dataclass(frozen=True)
class ImageTask(OneClass):
    """Image classification, top-1: one label a picture.

    Source: RobustMQ (2308.02350). Differs from the paper: the geometry is the model's own, and each sample keeps its row.
    """

    kind: ClassVar[str] = "image"
    sites: ClassVar[tuple[str, ...]] = SITES["image"]
    source: ClassVar[str] = "RobustMQ (arXiv 2308.02350): single-label classification, top-1"

    def clean(self, geometry: Geometry) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does; sites without one pass the picture on."""
        return {"decode": "decode-pil", "resize": geometry.interpolation}

    def score(self, logits: Any, label: int) -> Score:
        """Score the logits of one sample, an array of one dimension; see ``scores``. Raises ModelError."""
        return scores(np.asarray(logits, dtype=np.float64)[None], [label])[0]
