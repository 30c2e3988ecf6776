"""Doors to the networks of timm and torchvision, with the geometry that they were published with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from bitproof.core import ModelError, SpecError, UnknownName
from bitproof.models.network import Network, seeded, wrap
from bitproof.models.weights import load_weights

#: A library's word for an interpolation → the clean resizer of that name.
INTERPOLATIONS = {
    "bicubic": "pil-cubic",
    "bilinear": "pil-bilinear",
    "nearest": "pil-nearest",
    "box": "pil-box",
    "hamming": "pil-hamming",
    "lanczos": "pil-lanczos",
}


@dataclass(frozen=True)
class Timm:
    """A network of timm, with its own geometry and normalisation: timm/NAME[:weights=FILE,pretrained=true,size=S,…].

    Without ``weights`` the published ones are fetched from its hub, once; ``pretrained=false`` draws the layers from ``seed``.
    ``size`` and ``resize`` (px) replace the published geometry. Source: huggingface/pytorch-image-models.
    """

    name: str
    weights: str | None = None
    pretrained: bool = True
    classes: int | None = None
    size: int | None = None
    resize: int | None = None
    seed: int = 0

    source: ClassVar[str] = "https://github.com/huggingface/pytorch-image-models"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it. Raises UnknownName, or ModelError where the hub is out of reach."""
        import timm

        if not timm.is_model(self.name):
            raise _unknown("timm", self.name.partition(".")[0], timm.list_models())
        fetch = self.pretrained and self.weights is None
        net = built(spec, fetch, self.seed, timm.create_model, self.name, pretrained=fetch, **classes_of(self.classes))
        if self.weights is not None:
            load_weights(net, self.weights)
        config = timm.data.resolve_data_config({}, model=net)
        size = self.size or config["input_size"][-1]
        return wrap(
            net,
            size=size,
            resize=self.resize or math.floor(size / config["crop_pct"]),
            mode=_crop_mode(config["crop_mode"], spec),
            interpolation=_interpolation(config["interpolation"], spec),
            mean=config["mean"],
            std=config["std"],
            classes=self.classes,
            spec=spec,
        )


@dataclass(frozen=True)
class TorchVision:
    """A network of torchvision, with the transforms of its weights: torchvision/NAME[:weights=FILE,size=S,…].

    Without ``weights`` its DEFAULT ones are fetched, once; ``pretrained=false`` draws the layers from ``seed``. Geometry and
    normalisation are those of the DEFAULT weights; ``size`` and ``resize`` (px) replace them. Source: pytorch/vision.
    """

    name: str
    weights: str | None = None
    pretrained: bool = True
    classes: int | None = None
    size: int | None = None
    resize: int | None = None
    seed: int = 0

    source: ClassVar[str] = "https://github.com/pytorch/vision"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Build the network and fill it. Raises UnknownName, or ModelError where its weights are out of reach."""
        from torchvision import models

        if self.name in models.list_models(module=models.detection):
            raise SpecError(
                f"{spec!r} is a detector: it answers boxes, and a grid takes networks that answer classes. "
                "Type: bitproof quantize MODEL RECIPE --calibration coco:DIR,split=train2017 --evaluate coco:DIR"
            )
        if self.name not in models.list_models(module=models):
            raise _unknown("torchvision", self.name, models.list_models(module=models))
        published = models.get_model_weights(self.name).DEFAULT
        fetch = self.pretrained and self.weights is None
        weights = published if fetch else None
        net = built(spec, fetch, self.seed, models.get_model, self.name, weights=weights, **classes_of(self.classes))
        if self.weights is not None:
            load_weights(net, self.weights)
        transforms = published.transforms()
        size = self.size or transforms.crop_size[0]
        return wrap(
            net,
            size=size,
            resize=self.resize or size * transforms.resize_size[0] // transforms.crop_size[0],
            interpolation=_interpolation(transforms.interpolation.value, spec),
            mean=transforms.mean,
            std=transforms.std,
            classes=self.classes,
            spec=spec,
        )


def _unknown(library: str, name: str, known: list[str]) -> UnknownName:
    listing = "'timm.list_models()'" if library == "timm" else "'torchvision.models.list_models(module=torchvision.models)'"
    return UnknownName(f"{library} network", name, known, f"{listing} shows all {len(known)}.")


def classes_of(classes: int | None) -> dict[str, int]:
    """Return the number of classes as a library takes it, nothing where none was asked for."""
    return {} if classes is None else {"num_classes": classes}


def built(spec: str, fetch: bool, seed: int, create: Any, name: str, **settings: Any) -> nn.Module:
    """Call the library. Whatever goes wrong while weights are fetched is told with the two ways around it."""
    try:
        with seeded(seed):
            net: nn.Module = create(name, **settings)
            return net
    except Exception as error:  # offline, a wrong tag, a wrong number of classes: each library has its own types
        base = spec.partition(":")[0]
        ways = f" Without a network type {base + ':weights=FILE'!r}, or {base + ':pretrained=false'!r} for random weights."
        doing = "its published weights cannot be fetched" if fetch else "it cannot be built"
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(f"{spec!r}: {doing} ({reason}).{ways if fetch else ''}") from error


def _interpolation(word: str, spec: str) -> str:
    if word not in INTERPOLATIONS:
        raise SpecError(f"{spec!r} asks for the interpolation {word!r}. Known: {', '.join(INTERPOLATIONS)}.")
    return INTERPOLATIONS[word]


def _crop_mode(word: str, spec: str) -> str:
    modes = {"center": "shorter", "squash": "square"}
    if word not in modes:
        raise SpecError(f"{spec!r} asks for the crop mode {word!r}. Known: {', '.join(modes)}.")
    return modes[word]
