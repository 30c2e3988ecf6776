"""One item of a pack: a picture's question in several phrasings, and what counts as a right answer to it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bitproof.core import DataError, UnknownName, digest
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.vqa.scenarios import SCENARIOS, position

#: How an answer is read and judged; ``vqa.answers`` says what each means.
ANSWER_TYPES = ("yes-no", "number", "choice", "exact", "contains", "list")

#: What separates the entries of a list's answer.
SEPARATOR = "|"

_LONGEST = {"item": 200, "questions": 600, "answer": 300, "aliases": 300, "rejected": 300, "options": 200, "group": 200}


@dataclass(frozen=True)
class Item:
    """A record of a pack without its picture; the fields are its columns.

    ``questions``: phrasings, the first is the default. ``answer``: yes or no, a number in digits, one of ``options``, text, or the
    entries of a list joined by ``|``. ``aliases``: other right answers. ``rejected``: words that make an answer of the type
    contains wrong. ``tolerance``: of a number, relative. ``negative``: the matched negative of a question of presence, so yes
    would be a hallucination. ``group``: equal for items about one picture. Construction raises DataError for what does not fit.
    """

    item: str
    scenario: str
    questions: tuple[str, ...]
    answer_type: str
    answer: str
    aliases: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    tolerance: float | None = None
    negative: bool = False
    group: str = ""
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        problem = next(_problems(self), None)
        if problem:
            raise DataError(f"The item {self.item!r} {problem}")


def _problems(item: Item) -> Iterator[str]:
    """Yield what is wrong with ``item``."""
    if not item.item.strip():
        yield "has no name: its field item is empty."
    for name, limit in _LONGEST.items():
        value = getattr(item, name)
        for text in [value] if isinstance(value, str) else value:
            if len(text) > limit or any(ord(char) < 32 and char != "\n" for char in text):
                yield f"holds text in {name} that is longer than {limit} characters or has control characters."
    try:
        position(item.scenario)
    except UnknownName as error:
        yield f"is of no known scenario. {error}"
    if not item.questions or not all(text.strip() for text in item.questions) or len(set(item.questions)) < len(item.questions):
        yield "needs one question or more, none of them empty or twice."
    if item.answer_type not in ANSWER_TYPES:
        yield f"has the answer type {item.answer_type!r}. Allowed: {', '.join(ANSWER_TYPES)}."
    if item.answer_type in _WRONG:
        yield from _WRONG[item.answer_type](item)
    yield from _surplus(item)
    if item.negative and (item.answer_type, item.answer) not in (("yes-no", "no"), ("number", "0")):
        yield "is a negative, so its answer must be no, or 0 of a number."


def _surplus(item: Item) -> Iterable[str]:
    """Yield settings that the answer's type does not have."""
    for name, types in (("options", ("choice",)), ("rejected", ("contains",)), ("tolerance", ("number",))):
        if getattr(item, name) not in ((), None) and item.answer_type not in types:
            yield f"has {name}, which belong to the answer type {types[0]} and not to {item.answer_type!r}."


def _yes_no(item: Item) -> Iterable[str]:
    if item.answer not in ("yes", "no"):
        yield f"has the answer {item.answer!r}; a yes-no question has yes or no."


def _number(item: Item) -> Iterable[str]:
    try:
        finite = math.isfinite(float(item.answer))
    except ValueError:
        finite = False
    if not finite:
        yield f"has the answer {item.answer!r}; a number is written in digits, as 12 or 3.4."
    if item.tolerance is not None and not 0 <= item.tolerance < 1:
        yield f"has the tolerance {item.tolerance}; it is relative, 0 or more and below 1."


def _choice(item: Item) -> Iterable[str]:
    options = [text.strip().lower() for text in item.options]
    if not 2 <= len(options) <= 26 or len(set(options)) < len(options):
        yield f"has {len(options)} options; a choice has 2 to 26, none of them twice."
    if item.answer not in item.options:
        yield f"has the answer {item.answer!r}, which is none of its options: {', '.join(item.options)}."


def _text(item: Item) -> Iterable[str]:
    if not item.answer.strip():
        yield "has an empty answer."


def _list(item: Item) -> Iterable[str]:
    if not all(part.strip() for part in item.answer.split(SEPARATOR)) or SEPARATOR not in item.answer:
        yield f"has the answer {item.answer!r}; a list has two entries or more, joined by {SEPARATOR!r}."


_WRONG: dict[str, Callable[[Item], Iterable[str]]] = {
    "yes-no": _yes_no,
    "number": _number,
    "choice": _choice,
    "exact": _text,
    "contains": _text,
    "list": _list,
}


@dataclass(frozen=True)
class Question(Sample):
    """A sample that is asked about: its id is the item's, its label the scenario's place, ``read`` gives the picture's file."""

    item: Item


def question(item: Item, read: Callable[[], bytes]) -> Question:
    """Return ``item`` with its picture, an encoded PNG or JPEG that ``read`` gives."""
    return Question(item.item, position(item.scenario), read, item)


def questions_data(where: str, questions: Sequence[Question], *versions: object) -> ImageData:
    """Return the data of a pack or loader. ``versions``: what its digest holds beside the items, as the pictures' digest.

    Raises DataError for no items and for an id that comes twice.
    """
    told = (json.dumps(asdict(each.item), sort_keys=True) for each in questions)
    return ImageData(where, tuple(questions), digest("vqa", *versions, *told), len(SCENARIOS), tuple(SCENARIOS))


def as_item(record: Mapping[str, Any], where: str) -> Item:
    """Return the item that a record of a pack describes; its ``image`` is not looked at. Raises DataError naming ``where``."""
    known = {field.name for field in fields(Item)}
    name = record.get("item", "?")
    if surplus := sorted(set(record) - known - {"image"}):
        raise DataError(
            f"{where}: the item {name!r} has the unknown field {surplus[0]!r}. Known: image, {', '.join(sorted(known))}."
        )
    given = {key: _read(key, value, f"{where}: the item {name!r}") for key, value in record.items() if key != "image"}
    if missing := [key for key in ("item", "scenario", "questions", "answer_type", "answer") if given.get(key) is None]:
        raise DataError(f"{where}: the item {name!r} lacks {', '.join(missing)}.")
    try:
        return Item(**{key: value for key, value in given.items() if value is not None})
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _read(key: str, value: Any, where: str) -> Any:
    """One field in the type that ``Item`` has."""
    if value is None:
        return None
    if key in ("questions", "aliases", "rejected", "options"):
        if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
            raise DataError(f"{where}: {key} must be a list of texts, found {value!r}.")
        return tuple(value)
    if key == "tolerance":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: tolerance must be a number or null, found {value!r}.")
        return float(value)
    wanted = bool if key == "negative" else str
    if not isinstance(value, wanted):
        raise DataError(f"{where}: {key} must be {'true or false' if wanted is bool else 'text'}, found {value!r}.")
    return value
