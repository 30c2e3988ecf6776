"""Labelled sentences, and how a sample's bytes hold them."""

from __future__ import annotations

from dataclasses import dataclass

from bitproof.core import DataError
from bitproof.tasks.data import ImageData, Sample

#: What stands between the sentences of a sample: a character that texts do not hold.
_BETWEEN = "\x1f"


def packed(sentences: tuple[str, ...]) -> bytes:
    """Return one or two sentences as bytes."""
    return _BETWEEN.join(sentences).encode()


def sentences(data: bytes) -> tuple[str, ...]:
    """Return the one or two sentences of a sample's bytes."""
    return tuple(data.decode().split(_BETWEEN))


@dataclass(frozen=True)
class NumberSample(Sample):
    """A sample of which a number is asked; its label is that rounded."""

    target: float

    @property
    def truth(self) -> float:
        """The number."""
        return self.target


@dataclass(frozen=True)
class TextData(ImageData):
    """Sentences and their labels; with ``number`` what is asked for is a number, and a network has one output."""

    number: bool = False

    def check_classes(self, model_classes: int) -> None:
        """Raise DataError unless a network of ``model_classes`` outputs can answer."""
        if not self.number:
            super().check_classes(model_classes)
        elif model_classes != 1:
            raise DataError(f"{self.where} asks for a number and the model has {model_classes} outputs. Type classes=1.")
