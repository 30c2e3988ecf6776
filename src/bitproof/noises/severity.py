"""What noises at five severities have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitproof.core import SpecError


@dataclass(frozen=True)
class Graded:
    """A noise at one severity, 1 to 5. Raises SpecError for another."""

    severity: int

    def __post_init__(self) -> None:
        if self.severity not in (1, 2, 3, 4, 5):
            raise SpecError(f"Severity {self.severity} is out of range: 1, 2, 3, 4 or 5.")

    def of(self, constants: Sequence[float]) -> float:
        """The constant of this severity."""
        return constants[self.severity - 1]
