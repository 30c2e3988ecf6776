"""What every task has, whatever its kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.scores import Score


class Task(Protocol):
    """Data, and the names of the clean occupants of its sites. How a sample is scored is the kind's own.

    A class with ``settings``, a dataclass, takes those words out of a task's spec and is built with them.
    """

    kind: ClassVar[str]
    sites: ClassVar[tuple[str, ...]]
    source: ClassVar[str]
    version: ClassVar[int]

    @property
    def spec(self) -> str:
        """The spec that names it."""

    @property
    def data(self) -> ImageData:
        """Its samples."""

    @property
    def rules(self) -> tuple[str, ...]:
        """What a score depends on beside the task's version."""

    def truth(self, sample: Sample) -> int:
        """The label of a sample's rows."""

    def clean(self, form: Any) -> dict[str, str]:
        """Site → name of the occupant that stands there where no noise does; ``form`` is the model's, of the task's kind."""


class Scored(Task, Protocol):
    """A task whose networks answer with logits."""

    def score_batch(self, logits: Any, labels: Sequence[Any]) -> list[Score]:
        """Score logits N×classes against N labels, or N×1 against targets. Raises ModelError."""
