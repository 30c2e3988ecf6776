"""The task ``vqa``: questions about pictures, asked of a chat model and judged by the item's answer type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from bitproof.core import SITES, Geometry, SpecError, digest
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.vqa import answers, prompts, refusals
from bitproof.tasks.vqa.answers import Verdict, judge
from bitproof.tasks.vqa.items import Item, Question
from bitproof.tasks.vqa.prompts import Prompt, prompt
from bitproof.tasks.vqa.scenarios import SCENARIOS, position

#: What a row's prediction says of a reply without an answer.
UNPARSABLE, REFUSAL = -1, -2


@dataclass(frozen=True)
class Asking:
    """How often each item is asked: in its first ``phrasings`` wordings (fewer where it has fewer), each ``repeats`` times.

    ``scenarios``: some of them alone, as ``presence|counting``.
    """

    phrasings: int = 1
    repeats: int = 1
    scenarios: str | None = None

    def __post_init__(self) -> None:
        for name in ("phrasings", "repeats"):
            if not 1 <= getattr(self, name) <= 100:
                raise SpecError(f"{name}={getattr(self, name)} is out of range: 1 to 100.")

    def chosen(self, data: ImageData) -> ImageData:
        """Return ``data`` with the scenarios that are asked for. Raises UnknownName, or DataError where none is left."""
        if self.scenarios is None:
            return data
        labels = {position(slug.strip()) for slug in self.scenarios.split("|")}
        kept = tuple(sample for sample in data.samples if sample.label in labels)
        return replace(data, samples=kept, digest=digest(data.digest, "scenarios", *sorted(labels)))


@dataclass(frozen=True)
class Trial:
    """One asking of an item: ``index`` counts all of them, ``prompt`` is what is asked."""

    index: int
    phrasing: int
    repeat: int
    question: str
    prompt: Prompt


@dataclass(frozen=True)
class VqaTask:
    """Questions about pictures in fifteen scenarios: yes or no, numbers, choices, text and lists, judged without a judge.

    Source: Bard's visual understanding (arXiv 2307.15016). Differs from the paper: scored, with negatives, repeats and intervals,
    own questions and pictures.
    """

    kind: ClassVar[str] = "vqa"
    sites: ClassVar[tuple[str, ...]] = SITES["vqa"]
    source: ClassVar[str] = "How good is Google Bard's visual understanding? (arXiv 2307.15016): its scenarios"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Asking]] = Asking

    spec: str
    data: ImageData
    asking: Asking = Asking()

    @property
    def rules(self) -> tuple[str, ...]:
        """What a verdict depends on beside the item: enters every cell's id."""
        return f"prompts {prompts.VERSION}", f"answers {answers.VERSION}", f"refusals {refusals.VERSION}"

    def clean(self, geometry: Geometry) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does; sites without one pass the picture on."""
        return {"decode": "decode-pil", "resize": geometry.interpolation}

    def item(self, sample: Sample) -> Item:
        """The item of a sample of ``data``."""
        if not isinstance(sample, Question):
            raise SpecError(f"{sample.id!r} of {self.spec!r} asks nothing: a source of the task vqa gives questions.")
        return sample.item

    def trials(self, item: Item, seed: int) -> Iterator[Trial]:
        """Yield the askings of ``item``; ``seed`` draws the order of its options."""
        for phrasing, question in enumerate(item.questions[: self.asking.phrasings]):
            asked = prompt(item, phrasing, seed)
            for repeat in range(self.asking.repeats):
                yield Trial(phrasing * self.asking.repeats + repeat, phrasing, repeat, question, asked)

    def count(self, samples: Sequence[Sample]) -> int:
        """How many askings ``samples`` are."""
        return sum(min(len(self.item(s).questions), self.asking.phrasings) for s in samples) * self.asking.repeats

    def judge(self, item: Item, trial: Trial, reply: str, filtered: bool) -> Verdict:
        """Judge the reply to one asking."""
        return judge(item, reply, trial.prompt.options, filtered)

    def truth(self, sample: Sample) -> int:
        """A number for the right answer."""
        return code(self.item(sample).answer)

    def prediction(self, item: Item, verdict: Verdict) -> int:
        """A number for the answer that was read: the label where it is right, else one of its own for each text."""
        if verdict.status == "right":
            return code(item.answer)
        return {"unparsable": UNPARSABLE, "refusal": REFUSAL}.get(verdict.status) or code(f"not right: {verdict.value}")

    def title(self, sample: Sample) -> str:
        """The slug of a sample's scenario."""
        return list(SCENARIOS)[sample.label]


def code(text: str) -> int:
    """A number of 48 bits for a text."""
    return int(digest("answer", text), 16)
