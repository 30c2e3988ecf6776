"""The door to a user's own network: a function in a Python file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from torch import nn

from bitproof.core import ModelError, SpecError
from bitproof.models.network import IMAGENET_MEAN, IMAGENET_STD, Network, check_interpolation, seeded, wrap
from bitproof.models.user_file import function_of, opened
from bitproof.models.weights import load_weights, located


@dataclass(frozen=True)
class PythonFile:
    """Your own torch network: python:FILE.py#FACTORY,size=S[,weights=FILE,mean=imagenet,std=imagenet,resize=R,mode=shorter,…].

    ``FACTORY()`` returns an ``nn.Module``: N×3×S×S → logits N×classes. The file is run, and draws its layers from seed 0;
    checkpoints are never run. ``mean`` and ``std`` are ``imagenet``, one number, or three (``"0.5,0.5,0.5"``); without them the
    module gets pictures in [0, 1]. ``mode`` is shorter or square, ``interpolation`` the name of a resizer; ``resize`` defaults to
    ``size`` (px). Files beside it can be imported while it runs and while ``FACTORY()`` does; their source is part of the digest.
    """

    file: str
    size: int
    weights: str | None = None
    mean: str | None = None
    std: str | None = None
    resize: int | None = None
    mode: str = "shorter"
    interpolation: str = "pil-bilinear"
    classes: int | None = None

    source: ClassVar[str] = "your own file"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_factory(self.file, "A network", ",size=S")
        check_interpolation(self.interpolation)

    def load(self, spec: str) -> Network:
        """Run the file, call the factory, fill the module. Raises ModelError naming the file."""
        file, _, factory = self.file.partition("#")
        path = located(file)
        net, code = from_factory(path, factory)
        if self.weights is not None:
            load_weights(net, self.weights)
        return wrap(
            net,
            **taken(self),
            spec=spec,
            code=code,
        )


def check_factory(text: str, what: str, more: str = "") -> None:
    """Raise SpecError unless ``text`` is FILE.py#FACTORY; ``more`` is what must stand behind it."""
    path, mark, factory = text.partition("#")
    if not (path and mark and factory.isidentifier()):
        raise SpecError(f"{what} of your own is written python:FILE.py#FACTORY{more}; found {text!r}.")


def taken(door: Any) -> dict[str, Any]:
    """Return how a network takes its pictures, for ``wrap``, from the settings that every door to other people's networks has."""
    return {
        "size": door.size,
        "mean": channels(door.mean, IMAGENET_MEAN),
        "std": channels(door.std, IMAGENET_STD),
        "classes": door.classes,
        "resize": door.resize,
        "mode": door.mode,
        "interpolation": door.interpolation,
    }


def channels(text: str | None, imagenet: tuple[float, ...]) -> tuple[float, ...] | None:
    """Read ``imagenet``, ``0.5`` or ``0.5,0.5,0.5``; None stays None. Raises SpecError otherwise."""
    if text is None:
        return None
    if text == "imagenet":
        return imagenet
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise SpecError(f'mean and std are imagenet, one number, or three in quotes ("0.5,0.5,0.5"); found {text!r}.') from None


def from_factory(path: Path, factory: str) -> tuple[nn.Module, bytes]:
    """Return what the factory of a file makes, and the code that made it. Raises ModelError naming the file."""
    with opened(path) as file:
        net = _call(file.module, factory, path)
    return net, file.code()


def _call(module: ModuleType, factory: str, path: Path) -> nn.Module:
    make = function_of(module, factory, path)
    try:
        with seeded(0):
            net = make()
    except (Exception, SystemExit) as error:  # the user's own code
        raise ModelError(f"{factory}() of {str(path)!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise ModelError(f"{factory}() of {str(path)!r} must return an nn.Module, found a {type(net).__name__}.")
    return net
