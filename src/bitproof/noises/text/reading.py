"""Slips of who reads or listens: look-alikes, optical and acoustic recognition, lost words.

Source: bitproof's own, in the manner of arXiv 2103.11441 (TextFlint); the look-alikes are of Unicode UTS 39.
Differs from the paper: seeded by the sample; five severities; the tables are bitproof's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from bitproof.noises.text.base import WORD, Draw, TextCorruption, on_words, pick

#: Letters of other alphabets that look the same. Source: Unicode's confusables (UTS 39).
LOOK_ALIKES = {
    **dict(zip("aceiopsxyj", "асеіорѕхуј", strict=True)),
    **dict(zip("ABCEHIKMOPTXY", "АВСЕНІКМОРТХҮ", strict=True)),
}

#: What recognition takes for another, both ways. Source: errors that reports on OCR name again and again (l/1/I, O/0, rn/m, …).
SHAPES = (("l", "1"), ("I", "l"), ("O", "0"), ("o", "0"), ("rn", "m"), ("m", "rn"), ("S", "5"), ("B", "8"), ("cl", "d"), ("e", "c"),
          ("h", "b"), ("vv", "w"), ("w", "vv"), ("g", "q"), ("i", "!"), ("t", "f"))  # fmt: skip

#: Words that sound alike.
HOMOPHONES = (
    ("their", "there", "they're"), ("to", "too", "two"), ("your", "you're"), ("its", "it's"), ("hear", "here"), ("for", "four"),
    ("know", "no"), ("new", "knew"), ("right", "write"), ("would", "wood"), ("whole", "hole"), ("son", "sun"), ("see", "sea"),
    ("be", "bee"), ("by", "buy", "bye"), ("one", "won"), ("weather", "whether"), ("which", "witch"), ("where", "wear"),
    ("week", "weak"), ("made", "maid"), ("piece", "peace"), ("plain", "plane"), ("than", "then"), ("through", "threw"),
    ("wait", "weight"), ("way", "weigh"), ("who's", "whose"), ("our", "hour"), ("some", "sum"), ("so", "sew"), ("or", "oar"),
    ("affect", "effect"), ("accept", "except"), ("role", "roll"), ("scene", "seen"), ("sight", "site"), ("tale", "tail"),
    ("in", "inn"), ("cast", "caste"), ("real", "reel"), ("great", "grate"), ("not", "knot"), ("been", "bin"),
    ("we", "wee"), ("you", "ewe"), ("and", "an"), ("have", "halve"), ("mail", "male"), ("fair", "fare"), ("main", "mane"),
)  # fmt: skip
_SOUNDS = {word: tuple(other for other in group if other != word) for group in HOMOPHONES for word in group}

#: Words without which a sentence says the same.
FUNCTION_WORDS = frozenset(
    "a an the of to in on at by for with from as is are was were be been it its this that and or so very just some any".split()
)


def lookalikes(text: str, draw: Draw, share: float) -> str:
    """A ``share`` of the letters that have a look-alike, replaced by it."""
    return "".join(LOOK_ALIKES[c] if c in LOOK_ALIKES and draw() < share else c for c in text)


_SHAPE = re.compile("|".join(sorted({re.escape(shape) for shape, _ in SHAPES}, key=len, reverse=True)))
_TAKEN_FOR: dict[str, tuple[str, ...]] = {
    shape: tuple(other for one, other in SHAPES if one == shape) for shape, _ in SHAPES
}  # fmt: skip


def ocr(text: str, draw: Draw, share: float) -> str:
    """A ``share`` of the shapes that recognition takes for others, taken for them."""
    return _SHAPE.sub(lambda found: pick(draw, _TAKEN_FOR[found[0]]) if draw() < share else found[0], text)


def asr(text: str, draw: Draw, share: float) -> str:
    """What a recognizer of speech writes: small letters, no marks, and a ``share`` of the words with a homophone as that."""
    heard = re.sub(r"[^\w\s'’]", " ", text.lower())
    return " ".join(on_words(heard, draw, share, lambda w: pick(draw, _SOUNDS[w]) if w in _SOUNDS else w).split())


def word_dropout(text: str, draw: Draw, share: float) -> str:
    """A ``share`` of the function words left out, with the space behind them."""
    return re.sub(
        WORD.pattern + r"\s?",
        lambda found: "" if found[0].strip().lower() in FUNCTION_WORDS and draw() < share else found[0],
        text,
    ).strip()


@dataclass(frozen=True)
class LookAlikes(TextCorruption):
    """Cyrillic letters in the place of Latin ones that look the same: 1, 3, 6, 12 or 25 % of those that have one."""

    source: ClassVar[str] = "Unicode UTS 39, confusables"
    shares: ClassVar[tuple[float, ...]] = (0.01, 0.03, 0.06, 0.12, 0.25)
    corrupt = staticmethod(lookalikes)


@dataclass(frozen=True)
class Ocr(TextCorruption):
    """Shapes that optical recognition takes for others, such as rn for m: 2, 4, 8, 12 or 20 % of those that can be."""

    shares: ClassVar[tuple[float, ...]] = (0.02, 0.04, 0.08, 0.12, 0.2)
    corrupt = staticmethod(ocr)


@dataclass(frozen=True)
class Asr(TextCorruption):
    """As recognized speech: no capitals, no marks, and 0, 25, 50, 75 or 100 % of the words that sound like another as that."""

    shares: ClassVar[tuple[float, ...]] = (0.0, 0.25, 0.5, 0.75, 1.0)
    corrupt = staticmethod(asr)


@dataclass(frozen=True)
class WordDropout(TextCorruption):
    """Function words left out: 10, 25, 50, 75 or 100 % of articles, prepositions, forms of be and the like; never a negation."""

    shares: ClassVar[tuple[float, ...]] = (0.1, 0.25, 0.5, 0.75, 1.0)
    corrupt = staticmethod(word_dropout)
