"""The task ``keyword``: one clip of speech, one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import SITES, Clip
from bitproof.tasks.classes import OneClass


@dataclass(frozen=True)
class KeywordTask(OneClass):
    """Keyword spotting, top-1: one word a clip of fixed length.

    Source: Speech Commands (1804.03209). Differs from the paper: each sample keeps its row.
    """

    kind: ClassVar[str] = "keyword"
    sites: ClassVar[tuple[str, ...]] = SITES["keyword"]
    source: ClassVar[str] = "Speech Commands (arXiv 1804.03209): single-word classification, top-1"

    def clean(self, form: Clip) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does."""
        return {"decode": "decode-sndfile", "resample": form.resample, "features": form.features}
