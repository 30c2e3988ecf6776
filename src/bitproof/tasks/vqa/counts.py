"""A number, or a bound of one, out of a reply."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bitproof.tasks.vqa.words import number_text, spelled

_DIGITS = r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|[-+]?(?:\d+\.\d+|\d+|\.\d+)"
_TOKEN = re.compile(rf"{_DIGITS}|[a-z]+|[<>≤≥+~-]")
_NUMERAL = re.compile(_DIGITS)
_BEFORE = re.compile(
    r"(?:at least|at most|at minimum|at maximum|more than|less than|fewer than|greater than|over|under|above|below|up to|"
    r"as many as|minimum of|maximum of|no more than|no fewer than|no less than|upwards of|[<>≤≥]=?)\s*(?:of |the |a |about )*$"
)
_AFTER = re.compile(r"^\s*(?:\+|plus\b|or (?:more|fewer|less|so many)\b|(?:-|to|or)\s*(?:\d|[a-z]+teen\b|[a-z]+ty\b))")
_BETWEEN = re.compile(r"\bbetween\s*$")
_COUNTLESS = re.compile(r"\b(?:too many|countless|innumerable|uncountable|many|several|numerous|dozens|hundreds|thousands)\b")
_NONE = re.compile(
    r"\b(?:none|no (?!more|fewer|less)[a-z]+|nothing|not any|there (?:are|is)n't any|do(?:es)? not (?:see|have) any)\b"
)


@dataclass(frozen=True)
class Count:
    """A number, or what was said instead: ``bound`` where the reply only names a limit, a range or a multitude."""

    value: float
    bound: bool = False

    def __str__(self) -> str:
        return (
            f"bound {number_text(self.value)}"
            if self.bound and self.value == self.value
            else "bound"
            if self.bound
            else (number_text(self.value))
        )


def short(text: str) -> Count | None:
    """Return the number that a plain lower-case reply begins with, as it was asked to."""
    found = _first(text)
    return found[0] if found and not text[: found[1]].strip(" \"'(:=~") else None


def count(text: str) -> Count | None:
    """Return the first number of a plain lower-case reply, in digits or words; ``at least 5`` and ``too many`` are bounds."""
    found, vague, none = _first(text), _COUNTLESS.search(text), _NONE.search(text)
    places = [(at.start(), at) for at in (vague, none) if at is not None]
    if found and all(found[1] <= at for at, _ in places):
        return found[0]
    if not places:
        return None
    first = min(places, key=lambda place: place[0])[1]
    return Count(0.0) if first is none else Count(float("nan"), bound=True)


def _first(text: str) -> tuple[Count, int] | None:
    """The first number and where it begins."""
    for match in _TOKEN.finditer(text):
        if _NUMERAL.fullmatch(match[0]):
            if _part_of_a_word(text, match):
                continue
            value, end = float(match[0].replace(",", "")), match.end()
        else:
            words = list(re.finditer(r"[a-z]+", text[match.start() : match.start() + 80]))
            named = spelled([word[0] for word in words]) if match[0].isalpha() else None
            if named is None or re.match(r"ones?\s+(?:of|can|could|might|may)\b", text[match.start() :]):
                continue
            value, end = named[0], match.start() + words[named[1] - 1].end()
        before, after = text[: match.start()], text[end:]
        bound = bool(_BEFORE.search(before) or _AFTER.match(after) or _BETWEEN.search(before))
        return Count(value, bound), match.start()
    return None


def _part_of_a_word(text: str, match: re.Match[str]) -> bool:
    """``A310`` and ``2nd`` are no numbers."""
    return bool(re.search(r"[a-z]$", text[: match.start()]) or re.match(r"(?:st|nd|rd|th|d|x)\b", text[match.end() :]))
