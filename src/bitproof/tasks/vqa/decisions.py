"""Yes or no, out of a reply."""

from __future__ import annotations

import re

_YES = r"yes|yeah|yep|yup|certainly|definitely|absolutely|indeed|affirmative|true|correct"
_NO = r"no|nope|nah|negative|false|incorrect"
_ECHO = re.compile(r"^\W*(?:(?:one word|answer|reply)\W+)?yes (?:or|/) no\W+")
_BOTH = re.compile(r"^\W*(?:yes and no|yes or no|yes/no|no and yes)\W*(?:$|\.)")
_FIRST = re.compile(rf"^\W*(?:(?:the )?(?:short )?answer(?: is)?\W+|well\W+|hmm\W+)*(?:(?P<yes>{_YES})|(?P<no>{_NO}))\b")
_SURELY = re.compile(r"\b(?:no doubt|no question|undoubtedly|without (?:a )?doubt)\b")
_UNSURE = re.compile(
    r"\b(?:not (?:sure|certain|clear)|unsure|uncertain|unclear|(?:do not|don't) know|no idea|"
    r"not enough information|hard to (?:say|tell)|difficult to (?:say|tell)|impossible to tell|"
    r"(?:can ?not|can't|could not|couldn't) (?:tell|say|determine|be determined|confirm)|maybe|perhaps|possibly)\b"
)
_NEGATED = re.compile(
    r"\b(?:no|none|nothing|nobody|neither|never|nor|without|absent|lacks?|lacking|"
    r"(?:is|are|was|were|do|does|did|can|could|has|have)(?:n't| not)|can't|cannot|not)\b"
)
_STATED = re.compile(
    rf"\b(?:{_YES}|there (?:is|are|'s|seems? to be|appears? to be)|there's|(?:i|you|we) (?:can )?(?:clearly )?see|"
    r"(?:is|are) (?:clearly |partly |partially )?(?:visible|present|shown|seen|close|near)|"
    r"it is(?! (?:an?|the)\b)|it (?:does|has)|they (?:are|do|have)|"
    r"(?:image|picture|photo|scene) (?:shows|contains|depicts|includes|has))\b"
)


def unsure(text: str) -> bool:
    """Whether a plain lower-case reply says that it does not know."""
    return bool(_UNSURE.search(text))


def short(text: str) -> str | None:
    """Return yes or no where a plain lower-case reply begins with it, as it was asked to."""
    text = _ECHO.sub("", text)
    if _BOTH.match(text):
        return None
    found, plain = _FIRST.match(text), text.lstrip(" \"'(")
    if found is None or _SURELY.match(plain) or _UNSURE.match(plain):
        return None
    return "yes" if found["yes"] else "no"


def decision(text: str) -> str | None:
    """Return yes or no of a plain lower-case reply: its first decision, a negation within the same clause counts; or None.

    ``There is no dog`` is no; ``no doubt it is`` is yes; ``it is hard to say`` is neither.
    """
    said = _ECHO.sub("", text)
    if _BOTH.match(said):
        return None
    if found := short(text) or ("yes" if _SURELY.search(text) else None):
        return found
    told = (_of_clause(clause) for clause in re.split(r"[.!?;\n]|, but |\bhowever\b", said))
    first = next((each for each in told if each), None)
    return None if first == "unsure" else first


def _of_clause(clause: str) -> str | None:
    """Yes, no, unsure, or None where the clause says nothing of it."""
    if _UNSURE.search(clause):
        return "unsure"
    return "no" if _NEGATED.search(clause) else "yes" if _STATED.search(clause) else None
