"""What all corruptions of texts share: the severity, the seeded draws, and words with what stands between them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import ShapeError
from bitproof.noises.severity import Graded

#: A word: letters, digits and what joins them inside.
WORD = re.compile(r"\w+(?:['’]\w+)*", re.UNICODE)


@dataclass(frozen=True)
class TextCorruption(Graded):
    """A corruption: ``corrupt(text, draw, share)``, a pure function, at the share of one severity.

    ``shares`` says of the five severities how large a part of what can be hit is hit.
    """

    site: ClassVar[str] = "text"
    family: ClassVar[str] = "natural"
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    source: ClassVar[str] = "bitproof"
    version: ClassVar[int] = 1

    shares: ClassVar[tuple[float, ...]]
    corrupt: ClassVar[Callable[..., str]]

    def __call__(self, text: str, seed: int) -> str:
        """Return the corrupted text, which ``seed`` alone determines, and which is never empty. Raises ShapeError for no text."""
        if not isinstance(text, str):
            raise ShapeError(f"{type(self).__name__} takes a text and was given a {type(text).__name__}.")
        draw = random.Random(seed).random
        return self.corrupt(text, draw, self.of(self.shares)) or text


#: The next number in [0, 1).
Draw = Callable[[], float]


def pick(draw: Draw, options: str | tuple[str, ...]) -> str:
    """Draw one of ``options``."""
    return options[int(draw() * len(options))]


def on_words(text: str, draw: Draw, share: float, change: Callable[[str], str]) -> str:
    """Return ``text`` with ``change`` done to each word with probability ``share``."""
    return WORD.sub(lambda found: change(found[0]) if draw() < share else found[0], text)
