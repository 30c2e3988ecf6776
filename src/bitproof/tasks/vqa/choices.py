"""The option that a reply chooses, by its letter or its text."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from bitproof.tasks.vqa.words import holds, tokens

_LETTER = re.compile(
    r"^\W*(?:(?:the )?(?:correct |right |best )?(?:answer|option|choice)(?: is)?\W*(?:option )?)?\(?([A-Za-z])\)?(?=\W|$)", re.I
)
_NAMED = re.compile(r"\b(?:option|answer|choice)(?: is)?\W*\(?([A-Za-z])\)?(?=\W|$)", re.I)


def short(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the option whose letter, or whole text alone, a plain reply begins with, as it was asked to."""
    match = _LETTER.match(text)
    if match and not _article(match, text):
        return _place(match[1], options)
    first = tokens(text.strip().split("\n", maxsplit=1)[0])
    alone = [i for i, option in enumerate(options) if tokens(option) == first]
    return alone[0] if len(alone) == 1 else None


def choice(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the one option that a plain reply names; None where it names none, several, or contradicts itself."""
    by_letter, by_text = short(text, options), _named(text, options)
    if by_letter is not None:
        rest = tokens(_LETTER.sub("", text, count=1).split("\n")[0])
        other = [i for i, option in enumerate(options) if rest == tokens(option)]
        return by_letter if not other or by_letter in other else None
    if len(by_text) == 1:
        return by_text[0]
    match = _NAMED.search(text)
    return _place(match[1], options) if match and not by_text else None


def _named(text: str, options: Sequence[str]) -> list[int]:
    """The options in the reply's first sentence, else in all of it; one that is a part of another named one is left out."""
    for part in (re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0], text):
        words = tokens(part)
        named = [i for i, option in enumerate(options) if holds(words, tokens(option))]
        found = [i for i in named if not any(j != i and holds(tokens(options[j]), tokens(options[i])) for j in named)]
        if found:
            return found
    return []


def _place(letter: str, options: Sequence[str]) -> int | None:
    place = string.ascii_uppercase.index(letter.upper())
    return place if place < len(options) else None


def _article(match: re.Match[str], text: str) -> bool:
    """Whether the letter is an article or pronoun: ``A dog sits …``, ``I see``."""
    after = text[match.end() :]
    return match[1] in "AaI" and bool(re.match(r"\s+[a-z]|'", after))
