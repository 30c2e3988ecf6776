"""Another word of the same meaning, out of a thesaurus that the user has.

Source: bitproof's own, in the manner of arXiv 2103.11441 (TextFlint); the file format is that of MyThes, LibreOffice's thesaurus.
Differs from the paper: no part of speech is guessed in a sentence, words with several are left alone; seeded by the sample; five
severities.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from bitproof.core import DataError
from bitproof.noises.text.base import Draw, TextCorruption, on_words, pick

#: Word → its meanings, the commonest first: a part of speech, and the words that have that meaning.
Meanings = Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]
Known = Mapping[str, tuple[str, ...]]

#: One word in small letters.
_PLAIN = re.compile(r"[^\W\d_]+")

#: Without these, or with others in their place, a sentence says something else; and shorter words hold sentences together.
KEPT = frozenset("never none nothing nobody neither without hardly nowhere cannot while than that they them this those".split())
SHORTEST = 4


def read_mythes(text: str) -> Meanings:
    """Read a thesaurus of MyThes: behind the line with the encoding ``word|n``, then n lines ``(part of speech)|word|…``.

    What has a remark in brackets is wider, narrower or the opposite, and is left out. Raises ValueError for another text.
    """
    lines = text.splitlines()[1:]
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    at = 0
    while at < len(lines):
        word, _, count = lines[at].rpartition("|")
        n = int(count) if count.isdecimal() else -1
        meanings = [line.split("|") for line in lines[at + 1 : at + 1 + n]]
        if not word or len(meanings) != n:
            raise ValueError(f"line {at + 2} is no entry: {lines[at][:60]!r}")
        found[word] = [(part, tuple(other for other in others if "(" not in other)) for part, *others in meanings]
        at += 1 + n
    return found


def common(meanings: Meanings) -> Known:
    """Return word → single words that may stand in its place.

    Both have one part of speech alone, which is the same, and either is in the other's commonest meaning; both begin with a
    vowel, or neither does, so that an article before them still fits. Nouns that may as well be a plural or a form of a verb
    are left out.
    """
    first = {
        word: (found[0][0], found[0][1])
        for word, found in meanings.items()
        if _replaceable(word)
        and len({part for part, _ in found}) == 1
        and not (found[0][0] == "(noun)" and _is_form(word, meanings))
    }
    chosen = {}
    for word, (part, others) in first.items():
        fitting = [o for o in others if o != word and o in first and first[o][0] == part and word in first[o][1]]
        if mutual := tuple(dict.fromkeys(o for o in fitting if _open(o) == _open(word))):
            chosen[word] = mutual
    return chosen


def read_table(text: str) -> Known:
    """Read lines ``word<TAB>synonym, synonym``, in small letters. Raises ValueError for another line."""
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word, tab, rest = line.partition("\t")
        others = tuple(other.strip() for other in rest.split(",") if other.strip())
        if not line.strip() or line.startswith("#"):
            continue
        if not tab or not word.strip() or not others:
            raise ValueError(f"line {number} is no 'word<TAB>synonym, synonym': {line[:60]!r}")
        found[word.strip().lower()] = (*found.get(word.strip().lower(), ()), *others)
    return found


def synonyms(known: Known, text: str, draw: Draw, share: float) -> str:
    """A ``share`` of the words that have a synonym, replaced by one, as large or small as they were."""

    def changed(word: str) -> str:
        return like(word, pick(draw, known[word.lower()])) if word.lower() in known else word

    return on_words(text, draw, share, changed)


def like(word: str, other: str) -> str:
    """Return ``other`` in the case of ``word``."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() else other


def _replaceable(word: str) -> bool:
    return len(word) >= SHORTEST and word not in KEPT and word == word.lower() and _PLAIN.fullmatch(word) is not None


def _is_form(word: str, known: Collection[str]) -> bool:
    """Whether a noun may as well be a plural, or a form of a verb: minutes, selling."""
    stem = word.removesuffix("ing")
    return (word.endswith("s") and word[:-1] in known) or (
        stem != word and any(verb in known for verb in (stem, f"{stem}e", stem[:-1]))
    )


def _open(word: str) -> bool:
    return word[0] in "aeiou"


@lru_cache(maxsize=4)
def _read(file: str) -> tuple[Known, str]:
    """Return what is known, and the print of the file."""
    path = Path(os.path.expandvars(file)).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The thesaurus {str(path)!r} cannot be read: {error.strerror}. Give one of LibreOffice's, such as th_en_US_v2.dat "
            "of Debian's package mythes-en-us, or a text file with lines 'word<TAB>synonym, synonym'."
        ) from None
    encoding = _encoding(data.partition(b"\n")[0])
    try:
        text = data.decode(encoding or "utf-8")
        known = common(read_mythes(text)) if encoding else read_table(text)
    except ValueError as error:
        raise DataError(f"The thesaurus {str(path)!r} cannot be read: {error}.") from None
    if not known:
        raise DataError(f"The thesaurus {str(path)!r} has no word that another one can stand for.")
    return known, hashlib.sha256(data).hexdigest()[:12]


def _encoding(line: bytes) -> str | None:
    """Return the encoding that the first line of a file of MyThes names; None where it names none."""
    try:
        return codecs.lookup(line.decode("ascii").strip()).name
    except (LookupError, ValueError):
        return None


@dataclass(frozen=True)
class Synonyms(TextCorruption):
    """Synonyms out of a thesaurus: 10, 25, 50, 75 or 100 % of the words that have one: synonyms:3,file=th_en_US_v2.dat.

    ``file``: one of LibreOffice's (MyThes), or a text file with lines ``word<TAB>synonym, synonym``. Of MyThes a word is
    replaced by a single word of the same part of speech, where both have that alone and each is in the other's commonest
    meaning; of a text file by what stands there. Words are met as they stand, not bent. Not in the family ``corruptions``,
    since it needs a file.

    Source: bitproof, in the manner of arXiv 2103.11441. Differs from the paper: as the module says.
    """

    file: str

    source: ClassVar[str] = "arXiv 2103.11441; MyThes"
    shares: ClassVar[tuple[float, ...]] = (0.1, 0.25, 0.5, 0.75, 1.0)

    def corrupt(self, text: str, draw: Draw, share: float) -> str:
        """Replace words by what the file knows. Raises DataError where that cannot be read."""
        return synonyms(_read(self.file)[0], text, draw, share)

    @property
    def data_digest(self) -> str:
        """The print of the file: the numbers of a cell depend on it."""
        return _read(self.file)[1]
