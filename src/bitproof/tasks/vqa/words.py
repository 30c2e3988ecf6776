"""Replies as plain words: what of case, articles, punctuation and number words does not count."""

from __future__ import annotations

import re

_ARTICLES = frozenset({"a", "an", "the"})
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}

#: Number words below a hundred.
NUMBERS = {word: i for i, word in enumerate(_ONES)} | {word: 10 * i for i, word in enumerate(_TENS, 2)} | {"dozen": 12}

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "*": " ", "_": " ", "`": " ", "\u00a0": " ", "–": "-", "—": "-"})
_NUMBER = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?(?:\d+\.\d+|\d+|\.\d+)")
_WORD = re.compile(r"[^\W_]+(?:['&][^\W_]+)*")


def plain(text: str) -> str:
    """Return a reply without its thinking aloud, emphasis and typographic quotes, its spaces single."""
    return re.sub(r"[ \t\r\f\v]+", " ", _THINKING.sub(" ", text).translate(_MARKS)).strip()


def tokens(text: str) -> tuple[str, ...]:
    """Return the words of ``text`` that count: lower case, without articles and punctuation, number words as digits.

    A number keeps its point and loses its thousands' commas: ``The 1,200 cars.`` → ``1200 cars``.
    Source: the normalisation of the VQA evaluation (arXiv 1505.00468). Differs from the paper: numbers above ten too, hyphens
    part words, no list of contractions.
    """
    found: list[str] = []
    text = plain(text).lower()
    while text:
        match = _NUMBER.match(text) or _WORD.match(text)
        if match and not (found and text[0] in "+-"):
            word = match[0]
            found.append(_digits(word) if match.re is _NUMBER else str(NUMBERS.get(word, word)))
        text = text[match.end() if match else 1 :]
    return tuple(word for word in found if word not in _ARTICLES)


def _digits(text: str) -> str:
    return number_text(float(text.replace(",", "")))


def number_text(value: float) -> str:
    """Return a number in its one written form: ``12``, ``3.4``, ``-1``."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)


def holds(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether ``part`` stands in ``whole`` as a run of words; nothing stands nowhere."""
    return bool(part) and any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def spelled(words: list[str]) -> tuple[float, int] | None:
    """Return the number that ``words`` begin with, and how many of them are its: ``two hundred and five`` → (205, 4)."""
    total, current, used = 0, 0, 0
    for i, word in enumerate(words):
        if word in NUMBERS and not (current % 100 and (word == "dozen" or current % 10 or NUMBERS[word] > 9)):
            current += NUMBERS[word]
        elif word == "dozen" and current:
            current *= 12
        elif word in _SCALES and current:
            total, current = (total, current * 100) if word == "hundred" else (total + current * _SCALES[word], 0)
        elif word == "and" and used == i and words[i - 1] in _SCALES:
            continue
        else:
            break
        used = i + 1
    return (float(total + current), used) if used else None
