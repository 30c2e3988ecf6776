"""A judge model's second opinion on stored replies, beside how far it agrees with people and with the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from string import ascii_uppercase
from typing import Any

from bitproof.analysis import wilson
from bitproof.bench.reporter import Reporter, Silent
from bitproof.core import SpecError, StoreError, digest, seed
from bitproof.models import Endpoint, load_any
from bitproof.results import Asked, Store, replies
from bitproof.tasks import JUDGE_VERSION, LABELLED, judge_prompt, read_judgement

#: What the rules' classes are in the judge's words.
_SAME = {"right": "right", "wrong": "wrong", "unparsable": "none", "refusal": "none"}

#: So many disagreements are kept, to be read.
KEPT = 50


@dataclass(frozen=True)
class Agreement:
    """Equal judgements among ``n``: ``value`` [``low``, ``high``] %, ``kappa`` beyond chance; ``unread``: the judge said none."""

    n: int
    value: float
    low: float
    high: float
    kappa: float
    unread: int


@dataclass(frozen=True)
class Judgement:
    """What a judge was asked, how it agrees with a person's labels and with the rules, and replies where it does not: ``apart``."""

    judge: str
    prompt: str
    version: int
    labelled: Agreement
    rules: Agreement
    apart: tuple[dict[str, Any], ...]


def judge(path: str | Path, model: str, n: int = 200, draw: int = 0, reporter: Reporter | None = None) -> Judgement:
    """Ask ``model`` about the labelled set and about ``n`` replies of the run ``path``, drawn by ``draw``; store what it said.

    No verdict of the run changes. Raises StoreError for a run without replies, SpecError for a model that is no endpoint,
    ModelError where it does not answer.
    """
    endpoint, store = load_any(model), Store.open(path)
    if not isinstance(endpoint, Endpoint):
        raise SpecError(f"{model!r} is no chat endpoint. Type for example chat:http://HOST:PORT/v1#MODEL.")
    said = list(replies(path).select(_COLUMNS).unique(maintain_order=True).iter_rows(named=True))
    if not said:
        raise StoreError(f"{str(path)!r} holds no replies of chat models; there is nothing to judge.")
    chosen = Random(seed("judge", draw)).sample(said, min(n, len(said)))
    told = reporter or Silent()
    told.begin(len(LABELLED) + len(chosen))
    with store.lock():
        asked = store.asked()
        try:
            found = _judged(endpoint, asked, chosen, told.advance)
        finally:
            asked.close()
        store.write_judgement(asdict(found))
    return found


_COLUMNS = ("sample", "question", "answer", "options", "status", "value", "reply")


def _judged(endpoint: Endpoint, asked: Asked, chosen: Sequence[dict[str, Any]], advance: Callable[[float], None]) -> Judgement:
    prompts = [judge_prompt(each.question, each.answers, each.reply) for each in LABELLED]
    prompts += [judge_prompt(_question(row), [row["answer"]], row["reply"]) for row in chosen]
    words = list(_asked(endpoint, asked, prompts, advance))
    people, rules = words[: len(LABELLED)], words[len(LABELLED) :]
    labels = [_SAME[row["status"]] for row in chosen]
    apart = [row | {"judge": word} for row, word, label in zip(chosen, rules, labels, strict=True) if word not in (label, None)]
    return Judgement(
        judge=endpoint.spec,
        prompt=judge_prompt("…", ["…"], "…"),
        version=JUDGE_VERSION,
        labelled=agreement([each.label for each in LABELLED], people),
        rules=agreement(labels, rules),
        apart=tuple(apart[:KEPT]),
    )


def _question(row: dict[str, Any]) -> str:
    """The question, with the options as they were shown."""
    shown = row["options"].split("|") if row["options"] else []
    return "\n".join([row["question"], *(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, shown, strict=False))])


def _asked(endpoint: Endpoint, asked: Asked, prompts: Sequence[str], advance: Callable[[float], None]) -> Iterator[str | None]:
    """Yield the judge's word on each prompt, several asked at once; none is asked twice."""

    def one(prompt: str) -> str | None:
        key = digest("judge", endpoint.digest, prompt, length=64)
        reply = asked.get(key)
        if reply is None:
            reply = endpoint.chat.ask(None, prompt, 0)
            asked.put(key, reply)
        return read_judgement(reply.text)

    with ThreadPoolExecutor(max_workers=endpoint.concurrency) as pool:
        for word in pool.map(one, prompts):
            advance(1)
            yield word


def agreement(labels: Sequence[str], words: Sequence[str | None]) -> Agreement:
    """Compare ``words`` with ``labels``; a word that is None agrees with nothing.

    Formula: κ = (p − c)/(1 − c), c = Σ_k P(label k)·P(word k). Source: Cohen, Educ. Psychol. Meas. 20 (1960) 37.
    """
    n = len(labels)
    equal = sum(label == word for label, word in zip(labels, words, strict=True))
    first, second = Counter(labels), Counter(words)
    chance = sum(first[key] * second[key] for key in first) / n**2 if n else 0.0
    low, high = (float(bound) for bound in wilson(equal, n)) if n else (0.0, 100.0)
    share = equal / n if n else 0.0
    kappa = (share - chance) / (1 - chance) if chance < 1 else 1.0
    return Agreement(n, 100 * share, low, high, kappa, second[None])
