"""What a model is asked: a phrasing of the question, the options in a drawn order, and the form that its reply shall begin with."""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np

from bitproof.core import seed as draw
from bitproof.tasks.vqa.items import SEPARATOR, Item

#: Raised when the wording changes; part of the task's version.
VERSION = 1

#: Answer type → what is asked of the reply's form.
FORMS = {
    "yes-no": "Begin your reply with one word: yes or no.",
    "number": "Begin your reply with one number in digits.",
    "choice": "Begin your reply with the letter of one option.",
    "exact": "Begin your reply with one word or a short phrase, nothing before it.",
    "contains": "Reply in a few words.",
    "list": "Reply with {count} short entries in the order that is asked for, separated by commas, and nothing else.",
}


@dataclass(frozen=True)
class Prompt:
    """One asking: ``text`` as it is sent, ``options`` in the order that they are shown (none but of a choice)."""

    text: str
    options: tuple[str, ...]


def prompt(item: Item, phrasing: int, seed: int) -> Prompt:
    """Return what is asked of ``item`` in its ``phrasing``-th wording; ``seed``, item and phrasing draw the options' order."""
    options = shuffled(item, phrasing, seed)
    shown = [f"{letter}. {option}" for letter, option in zip(string.ascii_uppercase, options, strict=False)]
    form = FORMS[item.answer_type].format(count=item.answer.count(SEPARATOR) + 1)
    return Prompt("\n".join([item.questions[phrasing], *shown, form]), options)


def shuffled(item: Item, phrasing: int, seed: int) -> tuple[str, ...]:
    """Return the options in the order that ``seed``, the item's name and the phrasing draw: equal for every model and noise."""
    generator = np.random.default_rng(draw(seed, "options", item.item, phrasing))
    return tuple(item.options[i] for i in generator.permutation(len(item.options)))
