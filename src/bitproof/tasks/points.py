"""The task ``points``: one shape, one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import SITES, Cloud
from bitproof.tasks.classes import OneClass


@dataclass(frozen=True)
class PointsTask(OneClass):
    """Classification of shapes by a cloud of their points, top-1 over all samples.

    Source: ModelNet (1406.5670). Differs from the paper: each sample keeps its row; accuracy is over samples, not over classes.
    """

    kind: ClassVar[str] = "points"
    sites: ClassVar[tuple[str, ...]] = SITES["points"]
    source: ClassVar[str] = "ModelNet (arXiv 1406.5670): classification of shapes, top-1"

    def clean(self, form: Cloud) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does."""
        return {"decode": "decode-shape", "sample": form.sample, "frame": form.frame}
