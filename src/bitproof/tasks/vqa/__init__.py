"""Questions about pictures for vision-language models: scenarios, packs of items, and the score of a reply."""

from bitproof.tasks.vqa.items import ANSWER_TYPES, Item, Question, as_item, question, questions_data
from bitproof.tasks.vqa.scenarios import SCENARIOS

__all__ = ["ANSWER_TYPES", "SCENARIOS", "Item", "Question", "as_item", "question", "questions_data"]
