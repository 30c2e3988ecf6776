"""Questions about pictures for vision-language models: scenarios, packs of items, and the score of a reply."""

from bitproof.tasks.vqa.answers import Verdict
from bitproof.tasks.vqa.items import ANSWER_TYPES, Item, Question, as_item, question, questions_data
from bitproof.tasks.vqa.judging import LABELLED, judge_prompt, read_judgement
from bitproof.tasks.vqa.judging import VERSION as JUDGE_VERSION
from bitproof.tasks.vqa.loaders import LOADERS
from bitproof.tasks.vqa.scenarios import SCENARIOS
from bitproof.tasks.vqa.task import Trial, VqaTask

__all__ = [
    "ANSWER_TYPES",
    "JUDGE_VERSION",
    "LABELLED",
    "LOADERS",
    "SCENARIOS",
    "Item",
    "Question",
    "Trial",
    "Verdict",
    "VqaTask",
    "as_item",
    "judge_prompt",
    "question",
    "questions_data",
    "read_judgement",
]
