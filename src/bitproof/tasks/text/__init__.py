"""The task ``text``: sentences or pairs of them, with a class or a number."""

from bitproof.tasks.text.data import TextData, packed, sentences
from bitproof.tasks.text.task import TextTask

__all__ = ["TextData", "TextTask", "packed", "sentences"]
