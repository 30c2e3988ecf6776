"""The door to a user's own network: a function in a Python file."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from torch import nn

from bitproof.core import ModelError, SpecError
from bitproof.models.network import IMAGENET_MEAN, IMAGENET_STD, Network, check_interpolation, seeded, wrap
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
        path, mark, factory = self.file.partition("#")
        if not (path and mark and factory.isidentifier()):
            raise SpecError(f"A network of your own is written python:FILE.py#FACTORY,size=S; found {self.file!r}.")
        check_interpolation(self.interpolation)

    def load(self, spec: str) -> Network:
        """Run the file, call the factory, fill the module. Raises ModelError naming the file."""
        file, _, factory = self.file.partition("#")
        path = located(file)
        net, code = _build(path, factory)
        if self.weights is not None:
            load_weights(net, self.weights)
        return wrap(
            net,
            size=self.size,
            mean=channels(self.mean, IMAGENET_MEAN),
            std=channels(self.std, IMAGENET_STD),
            classes=self.classes,
            resize=self.resize,
            mode=self.mode,
            interpolation=self.interpolation,
            spec=spec,
            code=code,
        )


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


def _build(path: Path, factory: str) -> tuple[nn.Module, bytes]:
    """Return what the factory makes, and the code that made it."""
    if not path.is_file():
        raise ModelError(f"The file {str(path)!r} does not exist.")
    with _neighbours(path.resolve().parent) as imported:
        net = _call(_run(path), factory, path)
    sources = {name: Path(module.__file__).read_bytes() for name, module in sorted(imported.items()) if module.__file__}
    marks = [f"\n{name} {hashlib.sha256(source).hexdigest()}".encode() for name, source in sources.items()]
    return net, b"".join([path.read_bytes(), *marks])


def _run(path: Path) -> ModuleType:
    """Import the file under a name of its own."""
    name = f"bitproof_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{str(path)!r} is not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the file look it up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        raise ModelError(f"{str(path)!r} failed to import: {type(error).__name__}: {error}") from error
    return module


def _call(module: ModuleType, factory: str, path: Path) -> nn.Module:
    if not callable(getattr(module, factory, None)):
        found = ", ".join(name for name in vars(module) if not name.startswith("_") and callable(getattr(module, name)))
        raise ModelError(f"{str(path)!r} has no function {factory!r}. It has: {found or 'none'}.")
    try:
        with seeded(0):
            net = getattr(module, factory)()
    except (Exception, SystemExit) as error:  # the user's own code
        raise ModelError(f"{factory}() of {str(path)!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise ModelError(f"{factory}() of {str(path)!r} must return an nn.Module, found a {type(net).__name__}.")
    return net


@contextmanager
def _neighbours(folder: Path) -> Iterator[dict[str, ModuleType]]:
    """Let the files of ``folder`` be imported, afresh; the dict holds those that were, once the block is left.

    Modules are known by name: without this, the ``helper`` of one folder would be taken for that of the next.
    """
    before, imported = _loaded_from(folder), dict[str, ModuleType]()
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield imported
    finally:
        sys.path.remove(str(folder))
        imported.update(_loaded_from(folder))
        for name in imported:
            del sys.modules[name]
        sys.modules.update(before)


def _loaded_from(folder: Path) -> dict[str, ModuleType]:
    """Return the loaded modules that ``folder`` has on its top level or in packages; none where it is a place of installed ones."""
    found = {name: module for name, module in list(sys.modules.items()) if _place(module) == folder.joinpath(*name.split("."))}
    return {} if "torch" in found or "bitproof" in found else found


def _place(module: ModuleType) -> Path | None:
    """Return the folder of a package, and of a module its file without the ending."""
    known = getattr(module, "__dict__", {})  # to ask a lazy module for a name would load it
    for folder in known.get("__path__") or ():
        return Path(folder)
    file = known.get("__file__")
    return Path(file).with_suffix("") if isinstance(file, str) else None
