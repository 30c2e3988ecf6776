"""What a reply that declines to answer says. A refusal is a class of its own, never a wrong answer."""

from __future__ import annotations

import re

#: Raised when a pattern changes; part of the task's version.
VERSION = 1

_PICTURE = r"(?:the |this |that |your |any |an? )?(?:attached |uploaded )?(?:image|picture|photo|photograph|file|attachment)s?\b"
_UNABLE = r"(?:can ?not|can't|could not|couldn't|am unable to|'m unable to|am not able to|'m not able to|won't|will not)"

#: Language → patterns of lower-case text, found anywhere in a reply's first words.
PATTERNS: dict[str, tuple[str, ...]] = {
    "en": (
        rf"{_UNABLE} (?:directly )?(?:see|view|open|access|process|display|load|analy[sz]e|interpret) {_PICTURE}",
        rf"{_UNABLE} (?:help|assist)(?: you)? (?:with|in|on)\b",
        rf"{_UNABLE} (?:answer|comply|fulfil|fulfill|provide (?:medical|a diagnosis|an answer|information about))",
        rf"{_UNABLE} (?:identify|recogni[sz]e|describe) (?:real |specific |the )?(?:people|persons?|individuals?|faces?)\b",
        r"\bas an? (?:ai|artificial intelligence|(?:large )?language)\b",
        r"\b(?:i'm|i am) (?:only|just|merely) an? (?:ai|text|(?:large )?language)\b",
        r"\b(?:image|picture|photo|file) (?:was|has been|is) (?:removed|blocked|filtered|not (?:provided|attached|supported))",
        r"\bno (?:image|picture|photo) (?:was |has been )?(?:provided|attached|uploaded)",
        r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|polic(?:y|ies)|programming)",
    ),
    "de": (
        r"\bich kann (?:dir|ihnen|euch)? ?(?:dabei|damit|hierbei) (?:leider )?nicht helfen",
        r"\bich kann (?:leider )?(?:das|dieses|keine|die) (?:bild|bilder|foto|fotos|datei)\b",
        r"\bals (?:ki|sprachmodell|künstliche intelligenz)",
    ),
}

#: Only so many first characters are looked at: an answer may name its limits afterwards.
LOOKED_AT = 400

_ALL = [re.compile(pattern) for patterns in PATTERNS.values() for pattern in patterns]


def refuses(text: str) -> bool:
    """Whether a reply, plain and in lower case, declines."""
    return any(pattern.search(text[:LOOKED_AT]) for pattern in _ALL)
