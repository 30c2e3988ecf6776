"""Slips of who types: neighbours on a keyboard, case, punctuation, spaces.

Source: bitproof's own, in the manner of arXiv 2103.11441 (TextFlint); shares of words, marks or gaps as each class says.
Differs from the paper: seeded by the sample; five severities; nothing is hit that would change what is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from bitproof.noises.text.base import Draw, TextCorruption, on_words, pick

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    """Keys that touch on a QWERTY keyboard, whose rows are half a key apart."""
    found: dict[str, str] = {}
    for r, row in enumerate(_ROWS):
        for c, key in enumerate(row):
            near = [(r, c - 1), (r, c + 1), (r - 1, c), (r - 1, c + 1), (r + 1, c - 1), (r + 1, c)]
            found[key] = "".join(_ROWS[i][j] for i, j in near if 0 <= i < len(_ROWS) and 0 <= j < len(_ROWS[i]))
    return found


NEIGHBOURS = _neighbours()


def slip(word: str, draw: Draw) -> str:
    """Return ``word`` with one slip behind its first letter: a neighbouring key, a letter left out, doubled, or two swapped."""
    if len(word) < 3:
        return word
    i = 1 + int(draw() * (len(word) - 1))
    kind, letter = int(draw() * 4), word[i]
    if kind == 0 and letter.lower() in NEIGHBOURS:
        wrong = pick(draw, NEIGHBOURS[letter.lower()])
        return word[:i] + (wrong.upper() if letter.isupper() else wrong) + word[i + 1 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[:i] + letter + word[i:]
    return word[: i - 1] + letter + word[i - 1] + word[i + 1 :] if i > 1 else word[:i] + letter + word[i:]


def typos(text: str, draw: Draw, share: float) -> str:
    """One slip in a ``share`` of the words of three letters and more."""
    return on_words(text, draw, share, lambda word: slip(word, draw))


def casing(text: str, draw: Draw, share: float) -> str:
    """Another case for a ``share`` of the words: all capitals, a first capital, or none."""
    cases = (str.upper, str.capitalize, str.lower)

    def changed(word: str) -> str:
        return cases[int(draw() * len(cases))](word)

    return on_words(text, draw, share, changed)


def punctuation(text: str, draw: Draw, share: float) -> str:
    """A mark taken out, or one put behind a word, at a ``share`` of the places where one is or could be; full stops too."""
    thinned = re.sub(r"[.,;:!?\"()\-]+", lambda found: "" if draw() < share else found[0], text)
    return re.sub(r"(?<=\w)(?= )", lambda _: pick(draw, (",", ".", "!", "...", ";")) if draw() < share / 2 else "", thinned)


_SPACES = ("  ", "\t", "\u00a0", "\u2009", " \u200b", "")


def whitespace(text: str, draw: Draw, share: float) -> str:
    """Another space, two of them or none at a ``share`` of the gaps: tab, no-break, thin, with an invisible one."""
    return re.sub(r" ", lambda _: pick(draw, _SPACES) if draw() < share else " ", text)


@dataclass(frozen=True)
class Typos(TextCorruption):
    """Slips on a QWERTY keyboard: one in 5, 10, 20, 30 or 40 % of the words of three letters and more, first letters kept."""

    shares: ClassVar[tuple[float, ...]] = (0.05, 0.1, 0.2, 0.3, 0.4)
    corrupt = staticmethod(typos)


@dataclass(frozen=True)
class Casing(TextCorruption):
    """Words in capitals, with a first capital or in small letters: 10, 25, 50, 75 or 100 % of them."""

    shares: ClassVar[tuple[float, ...]] = (0.1, 0.25, 0.5, 0.75, 1.0)
    corrupt = staticmethod(casing)


@dataclass(frozen=True)
class Punctuation(TextCorruption):
    """Marks taken out, and put behind words, at 10, 20, 40, 60 or 80 % of the places (half of that for those put in)."""

    shares: ClassVar[tuple[float, ...]] = (0.1, 0.2, 0.4, 0.6, 0.8)
    corrupt = staticmethod(punctuation)


@dataclass(frozen=True)
class Whitespace(TextCorruption):
    """Other spaces, doubled or none, in 5, 10, 20, 30 or 50 % of the gaps between words."""

    shares: ClassVar[tuple[float, ...]] = (0.05, 0.1, 0.2, 0.3, 0.5)
    corrupt = staticmethod(whitespace)
