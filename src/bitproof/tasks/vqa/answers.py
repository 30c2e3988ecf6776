"""A reply is read and judged without a judge: right, wrong, unparsable or a refusal, by the item's answer type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bitproof.tasks.vqa import choices, counts, decisions, texts
from bitproof.tasks.vqa.items import Item
from bitproof.tasks.vqa.refusals import refuses
from bitproof.tasks.vqa.scenarios import AXES
from bitproof.tasks.vqa.words import number_text, plain, tokens

Status = Literal["right", "wrong", "unparsable", "refusal"]

#: Raised when a reply would be judged otherwise; part of the task's version.
VERSION = 2

#: So many characters of a reply are read, and of what was read so many are kept.
READ, KEPT = 4000, 100


@dataclass(frozen=True)
class Verdict:
    """What became of a reply.

    ``value``: the answer that was read, in one written form, or "". ``score``: 0 to 1, with part of the credit where an answer
    is nearly right (see ``judge``). ``position``: the place of the chosen option as it was shown; None but of a choice.
    """

    status: Status
    value: str = ""
    score: float = 0.0
    position: int | None = None


def judge(item: Item, reply: str, options: Sequence[str] = (), filtered: bool = False) -> Verdict:
    """Judge ``reply`` to ``item``; ``options`` as they were shown, ``filtered``: the server itself withheld the answer.

    An answer in the short form that was asked for stands first; else a pattern of refusal makes it one; else all of it is read.
    yes-no: the first decision, negations count as no. number: the first one, right within ``tolerance`` (relative), a bound is
    never right, score = 1 − min(1, |Δ|/max(|a|, 1)). choice: letter or text. exact, contains: after normalisation, score = ANLS
    where wrong. list: every entry at its place, score = their share. Location: half a point for one right axis.
    """
    text = plain(reply[:READ])
    if filtered:
        return Verdict("refusal")
    if not any(map(str.isalnum, text)):
        return Verdict("unparsable")
    if not _is_short(item, text, options) and refuses(text.lower()):
        return Verdict("refusal")
    return _JUDGES[item.answer_type](item, text, options)


def _is_short(item: Item, text: str, options: Sequence[str]) -> bool:
    """Whether the reply begins as it was asked to."""
    if item.answer_type == "choice":
        return choices.short(text, options) is not None
    reader = {"yes-no": decisions.short, "number": counts.short}.get(item.answer_type)
    return reader is not None and reader(text.lower()) is not None


def right_answers(item: Item) -> tuple[str, ...]:
    """The answer and its aliases."""
    return item.answer, *item.aliases


def _found(right: bool, value: str, score: float | None = None, position: int | None = None) -> Verdict:
    return Verdict("right" if right else "wrong", value[:KEPT], float(right) if score is None else score, position)


def _yes_no(item: Item, text: str, options: Sequence[str]) -> Verdict:
    said = decisions.decision(text.lower())
    return Verdict("unparsable") if said is None else _found(said == item.answer, said)


def _number(item: Item, text: str, options: Sequence[str]) -> Verdict:
    said, true = counts.count(text.lower()), float(item.answer)
    if said is None:
        return Verdict("unparsable")
    if said.bound:
        return _found(False, str(said))
    gap = abs(said.value - true)
    right = gap <= (item.tolerance or 0.0) * abs(true) + 1e-9
    return _found(right, number_text(said.value), 1.0 - min(1.0, gap / max(abs(true), 1.0)))


def _choice(item: Item, text: str, options: Sequence[str]) -> Verdict:
    place = choices.choice(text, options)
    if place is None:
        return Verdict("unparsable")
    right = options[place] == item.answer
    half = item.scenario in AXES and not right and len({*tokens(options[place])} & {*tokens(item.answer)}) > 0
    return _found(right, options[place], 0.5 if half else float(right), place)


def _exact(item: Item, text: str, options: Sequence[str]) -> Verdict:
    return _text(item, text, texts.equals(text, right_answers(item)))


def _contains(item: Item, text: str, options: Sequence[str]) -> Verdict:
    return _text(item, text, texts.contains(text, right_answers(item), item.rejected))


def _text(item: Item, text: str, right: bool) -> Verdict:
    """Free text that is not right and says that it does not know was no answer."""
    if not right and decisions.unsure(text.lower()):
        return Verdict("unparsable")
    return _found(right, " ".join(tokens(texts.first_phrase(text))), 1.0 if right else texts.anls(text, right_answers(item)))


def _list(item: Item, text: str, options: Sequence[str]) -> Verdict:
    said = texts.entries(text)
    share = texts.in_order(text, right_answers(item))
    return _found(share == 1.0, " | ".join(" ".join(tokens(entry)) for entry in said), share)


_JUDGES: dict[str, Callable[[Item, str, Sequence[str]], Verdict]] = {
    "yes-no": _yes_no,
    "number": _number,
    "choice": _choice,
    "exact": _exact,
    "contains": _contains,
    "list": _list,
}
