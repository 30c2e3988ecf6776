"""Which instruction set does the work."""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from typing import Any

from bitproof.core import UnknownName

#: The environment variable that forces a set, as the argument ``kernels`` of an op does.
VARIABLE = "BITPROOF_KERNELS"
REFERENCE = "reference"
ABSENT = (
    "the C++ kernels were not built (no compiler at installation?): the NumPy reference is used, correct and slow. "
    "Install a C++17 compiler, then type in bitproof's folder: pip install --force-reinstall --no-deps ."
)


@functools.cache
def native() -> Any:
    """Return the compiled extension, or ``None`` where it was not built."""
    try:
        return importlib.import_module("bitproof.kernels._native")
    except ModuleNotFoundError:
        return None


@functools.cache
def available() -> tuple[str, ...]:
    """Return the sets that run here, fastest first; the last is the NumPy reference."""
    module = native()
    return (*(module.sets() if module else ()), REFERENCE)


def chosen(kernels: str | None = None) -> str:
    """Return the set that an op uses: ``kernels``, else ``$BITPROOF_KERNELS``, else the fastest.

    Raises:
        UnknownName: if the set that was asked for does not run here.
    """
    name = kernels or os.environ.get(VARIABLE) or available()[0]
    if name not in available():
        raise UnknownName("kernel set", name, available(), f"This processor and installation have: {', '.join(available())}.")
    if name == REFERENCE and native() is None:
        _warn()
    return name


@functools.cache
def _warn() -> None:
    warnings.warn(f"1-bit arithmetic: {ABSENT}", RuntimeWarning, stacklevel=4)


def status() -> str:
    """Say in one line which set is used, for ``bitproof doctor``."""
    if native() is None:
        return ABSENT
    return f"{chosen()} (here: {', '.join(available())}; {VARIABLE}=NAME forces one)"
