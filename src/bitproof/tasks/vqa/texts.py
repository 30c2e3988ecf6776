"""Free text: equality, containment and edit distance after normalisation; ordered lists."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bitproof.tasks.vqa.items import SEPARATOR
from bitproof.tasks.vqa.words import holds, tokens

_LEAD = re.compile(r"^.{0,60}?\b(?:is|are|says|reads|shows|would be|looks like|called|answer:?)\b:?\s+", re.I)
_SPLIT = re.compile(r"[,;\n>→]|\s(?:then|and then|and)\s|\s[-/|]\s")
_BULLET = re.compile(r"^\s*(?:\(?\d{1,2}[.):]|[-•])\s*")


def first_phrase(text: str) -> str:
    """Return the first sentence or line of a plain reply, without a lead such as ``The answer is``."""
    line = next((part for part in re.split(r"(?<!\d)[.!?](?:\s|$)|\n", text) if part.strip()), "")
    return _LEAD.sub("", line.strip(" \"'"))


def equals(text: str, answers: Sequence[str]) -> bool:
    """Whether the first phrase is one of ``answers``, whole or without its lead."""
    line = next((part for part in re.split(r"(?<!\d)[.!?](?:\s|$)|\n", text) if part.strip()), "")
    said = {tokens(line), tokens(first_phrase(text)), tokens(text)}
    return any(tokens(answer) in said for answer in answers)


def contains(text: str, answers: Sequence[str], rejected: Sequence[str]) -> bool:
    """Whether one of ``answers`` stands in the reply as a run of words, and none of ``rejected`` does."""
    words = tokens(text)
    return any(holds(words, tokens(a)) for a in answers) and not any(holds(words, tokens(r)) for r in rejected)


def anls(text: str, answers: Sequence[str]) -> float:
    """Return the normalised Levenshtein similarity of the first phrase to the nearest of ``answers``, 0 to 1.

    Formula: max_a s(a), s = 1 − d(a, t)/max(|a|, |t|), 0 where that is below ½. Source: ANLS of ST-VQA (arXiv 1905.13648).
    Differs from the paper: texts are normalised first.
    """
    said = " ".join(tokens(first_phrase(text)))
    return max((_similar(said, " ".join(tokens(answer))) for answer in answers), default=0.0)


def _similar(a: str, b: str) -> float:
    shortest, longest = sorted((len(a), len(b)))
    if 2 * shortest < longest:
        return 0.0  # the distance is at least the difference in length
    share = 1 - _distance(a, b) / longest if longest else 0.0
    return share if share >= 0.5 else 0.0


def _distance(a: str, b: str) -> int:
    """Levenshtein's distance, row by row."""
    before = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (x != y)))
        before = row
    return before[-1]


def entries(text: str) -> list[str]:
    """Return the entries of a list in a plain reply, in order: parted by lines, commas, ``and`` or numbers."""
    lines = [_BULLET.sub("", line) for line in text.split("\n") if line.strip()]
    return [part.strip(" .\"'") for line in lines for part in _SPLIT.split(line) if tokens(part)]


def in_order(text: str, answers: Sequence[str]) -> float:
    """Return the share of entries that stand at their place, of the best of ``answers``, each joined by ``|``; 1 where all do."""
    said = [tokens(entry) for entry in entries(text)]
    return max(_placed(said, [tokens(entry) for entry in answer.split(SEPARATOR)]) for answer in answers)


def _placed(said: list[tuple[str, ...]], wanted: list[tuple[str, ...]]) -> float:
    hits = sum(holds(entry, right) for entry, right in zip(said, wanted, strict=False))
    return hits / max(len(said), len(wanted))
