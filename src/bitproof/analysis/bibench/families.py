"""Which of BiBench's three families of architectures a model belongs to: by words in its name, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bitproof.analysis.naming import parsed
from bitproof.core import SpecError

FAMILIES = ("cnn", "transformer", "mlp")

#: The first family that has a word in a model's name decides; a name that holds none is the user's to place. An FSMN is a
#: feed-forward network with a memory (arXiv 1512.08301), and stands with those.
_WORDS = {
    "mlp": re.compile("mlp|pointnet|fsmn|(?<!conv)mixer"),
    "transformer": re.compile("vit|deit|swin|bert|beit|cait|transformer|minilm"),
    "cnn": re.compile("cnn|resnet|^res8$|resnext|vgg|mobilenet|efficientnet|densenet|convnext|regnet|inception|squeezenet|alexnet"),
}


def family(model: str, said: Mapping[str, str]) -> str | None:
    """``cnn``, ``transformer``, ``mlp``, or None where neither the name nor the user tells."""
    name = parsed(model).name
    told = said.get(model, said.get(name))
    return told or next((kind for kind, words in _WORDS.items() if words.search(name.lower())), None)


def checked(said: Mapping[str, str], models: Iterable[str]) -> Mapping[str, str]:
    """``said`` where every family and model exists. Raises SpecError."""
    models = sorted(models)
    known = {*models, *(parsed(model).name for model in models)}
    for model, kind in said.items():
        if kind not in FAMILIES:
            raise SpecError(f"The family {kind!r} of {model!r} is none of {', '.join(FAMILIES)}. Type: --family {model}=cnn")
        if model not in known:
            raise SpecError(f"No model {model!r} to give a family to; the rows hold {', '.join(models)}.")
    return said
