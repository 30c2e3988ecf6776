"""What the words ``corruptions`` and ``system`` stand for where texts are tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import SpecError

CORRUPTIONS = ("typos", "casing", "punctuation", "whitespace", "lookalikes", "ocr", "asr", "word_dropout")
TOKENIZERS = ("tokens:lower=false", "tokens:accents=true", "tokens:truncate=left", "tokens:length=32", "tokens:pad=max")


@dataclass(frozen=True)
class TextCorruptions:
    """The 8 corruptions of texts, at one severity or at all five."""

    severity: int | None = None

    source: ClassVar[str] = "bitproof"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 8 or 40 specs. Raises SpecError for another severity."""
        if self.severity not in (None, 1, 2, 3, 4, 5):
            raise SpecError(f"Severity {self.severity} is out of range: 1, 2, 3, 4 or 5; without one, all five.")
        return [f"{name}:{s}" for name in CORRUPTIONS for s in ([self.severity] if self.severity else range(1, 6))]


@dataclass(frozen=True)
class TextSystem:
    """The tokenizers and number formats that a deployment of a text model may bring."""

    source: ClassVar[str] = "bitproof; SysNoise (MLSys 2023), data precision"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return the specs; a run leaves out what means nothing for a model."""
        return [*TOKENIZERS, "fp16", "bf16"]


FAMILIES = {"corruptions": TextCorruptions, "system": TextSystem}
