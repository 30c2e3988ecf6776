"""A Python file of the user's own: run once, with its neighbours in reach, and identified by all of their source."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from bitproof.core import ModelError, SpecError
from bitproof.models.weights import located


@dataclass
class UserFile:
    """A file that was run, and the modules beside it that it imported so far."""

    path: Path
    module: ModuleType
    imported: dict[str, ModuleType] = field(default_factory=dict)

    def code(self) -> bytes:
        """Return the source, and a hash of each neighbour's, once the block of ``opened`` is left."""
        sources = {name: Path(module.__file__).read_bytes() for name, module in sorted(self.imported.items()) if module.__file__}
        marks = [f"\n{name} {hashlib.sha256(source).hexdigest()}".encode() for name, source in sources.items()]
        return b"".join([self.path.read_bytes(), *marks])


@contextmanager
def opened(path: Path) -> Iterator[UserFile]:
    """Run the file; its neighbours can be imported inside the block. Raises ModelError naming the file."""
    if not path.is_file():
        raise ModelError(f"The file {str(path)!r} does not exist.")
    with _neighbours(path.resolve().parent) as imported:
        file = UserFile(path, _run(path), imported)
        yield file


def function_of(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    """Return the function ``name`` of a file. Raises ModelError with those that it has."""
    function: Any = getattr(module, name, None)
    if not callable(function):
        found = ", ".join(name for name in vars(module) if not name.startswith("_") and callable(getattr(module, name)))
        raise ModelError(f"{str(path)!r} has no function {name!r}. It has: {found or 'none'}.")
    result: Callable[..., Any] = function
    return result


def user_function(spec: str) -> tuple[Callable[..., Any], str]:
    """Return the function that ``python:FILE.py#NAME`` names, and 64 hex digits of its name and source.

    Raises SpecError for another form, ModelError where the file or the function cannot be had.
    """
    door, _, where = spec.partition(":")
    file, _, name = where.partition("#")
    if door != "python" or not file or not name.isidentifier():
        raise SpecError(f"A function of your own is written python:FILE.py#NAME; found {spec!r}.")
    with opened(located(file)) as own:
        function = function_of(own.module, name, own.path)
    return function, hashlib.sha256(name.encode() + b"\n" + own.code()).hexdigest()


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
