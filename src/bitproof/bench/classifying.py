"""What a network of texts says of a few sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from bitproof.core import SpecError, Words
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.noises import noise


@dataclass(frozen=True)
class Said:
    """The answer to one text: its class and the confidence in it, or of a network that tells a number, that number."""

    text: str
    label: str
    confidence: float | None = None
    value: float | None = None


def classify(model: str, texts: Sequence[str], seconds: Sequence[str] = (), labels: Sequence[str] | None = None) -> Iterator[Said]:
    """Yield what the network ``model`` says of each text, or of each pair with one of ``seconds``.

    ``labels``: names of the classes. Raises SpecError where these do not fit one another, ModelError for the network.
    """
    if seconds and len(seconds) != len(texts):
        raise SpecError(f"{len(texts)} texts and {len(seconds)} second ones were given; a pair is one of each.")
    network = load_model(model)
    names, form = _names(network, labels), _form(network)
    for i, text in enumerate(texts):
        planes = noise("tokens")((text, *seconds[i : i + 1]), form)
        with torch.inference_mode():
            logits = network.module(torch.from_numpy(planes)[None]).float()[0]
        if network.classes == 1:
            yield Said(text, names[0], value=float(logits[0]))
        else:
            share, label = logits.softmax(0).max(0)
            yield Said(text, names[int(label)], confidence=float(share))


def _form(network: Network) -> Words:
    if not isinstance(network.form, Words):
        raise SpecError(
            f"{network.spec!r} takes samples of the kind {network.form.kind!r}; to classify texts, one of texts is needed."
        )
    return network.form


def _names(network: Network, labels: Sequence[str] | None) -> Sequence[str]:
    names = labels or (["number"] if network.classes == 1 else [f"class {i}" for i in range(network.classes)])
    if len(names) != network.classes:
        raise SpecError(f"{len(names)} labels were given and {network.spec!r} has {network.classes} classes.")
    return names
