"""Questions about pictures for vision-language models: scenarios, packs of items, and the score of a reply."""

from bitproof.tasks.vqa.answers import Verdict
from bitproof.tasks.vqa.items import ANSWER_TYPES, Item, Question, as_item, question, questions_data
from bitproof.tasks.vqa.loaders import LOADERS
from bitproof.tasks.vqa.scenarios import SCENARIOS
from bitproof.tasks.vqa.task import Trial, VqaTask

__all__ = [
    "ANSWER_TYPES",
    "LOADERS",
    "SCENARIOS",
    "Item",
    "Question",
    "Trial",
    "Verdict",
    "VqaTask",
    "as_item",
    "question",
    "questions_data",
]
