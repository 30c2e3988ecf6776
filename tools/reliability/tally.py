"""What was tried, what was survived, and what was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Tally:
    """``tried``: how often; ``survived``: how often it ended as it must; ``lost``: finished cells that were gone or other after it.

    ``faults`` says what was not survived; ``skipped`` why nothing was tried.
    """

    name: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    skipped: str = ""
    faults: list[str] = field(default_factory=list)

    def count(self, fault: str, lost: int = 0) -> None:
        """Count a try; ``fault`` is "" where it ended as it must."""
        self.tried += 1
        self.survived += not fault
        self.lost += lost
        if fault:
            self.faults.append(fault)


def some(things: Iterable[T], count: int, draw: Random) -> list[T]:
    """Return ``count`` of ``things`` as drawn, or all of them."""
    found = list(things)
    return found if count >= len(found) else draw.sample(found, count)
