"""What the words ``corruptions`` and ``system`` stand for where texts are tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import graded

CORRUPTIONS = ("typos", "casing", "punctuation", "whitespace", "lookalikes", "ocr", "asr", "word_dropout")
TOKENIZERS = ("tokens:lower=false", "tokens:accents=true", "tokens:truncate=left", "tokens:length=32", "tokens:pad=max")


@dataclass(frozen=True)
class TextCorruptions:
    """The 8 corruptions of texts, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 8 or 40 specs. Raises SpecError for another severity."""
        return graded(CORRUPTIONS, self.severity)


@dataclass(frozen=True)
class TextSystem:
    """The tokenizers and number formats that a deployment of a text model may bring."""

    source: ClassVar[str] = "bitproof; SysNoise (MLSys 2023), data precision"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs; a run leaves out what means nothing for a model."""
        return [*TOKENIZERS, "fp16", "bf16"]


FAMILIES = {"corruptions": TextCorruptions, "system": TextSystem}
