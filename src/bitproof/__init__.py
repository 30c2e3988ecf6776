"""What does a network still withstand after it was made low-bit?

The names below are the public face; each is loaded on first use, so that ``import bitproof`` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "BitproofError": "bitproof.core",
    "Recipe": "bitproof.convert",
    "Training": "bitproof.training",
    "Victim": "bitproof.core",
    "adopt": "bitproof.export",
    "corrupt": "bitproof.noises",
    "deploy": "bitproof.export",
    "load_packed": "bitproof.export",
    "model": "bitproof.models",
    "noise": "bitproof.noises",
    "quantize": "bitproof.convert",
    "run": "bitproof.bench",
    "save_packed": "bitproof.export",
    "task": "bitproof.tasks",
    "train": "bitproof.training",
    "wrap": "bitproof.models",
}
_RENAMED = {"model": "load", "task": "load"}
_ROOMS = ("analysis", "report", "results")

if TYPE_CHECKING:
    from bitproof import analysis, report, results
    from bitproof.bench import run
    from bitproof.convert import Recipe, quantize
    from bitproof.core import BitproofError, Victim
    from bitproof.export import adopt, deploy, load_packed, save_packed
    from bitproof.models import load as model
    from bitproof.models import wrap
    from bitproof.noises import corrupt, noise
    from bitproof.tasks import load as task
    from bitproof.training import Training, train

__all__ = [
    "BitproofError",
    "Recipe",
    "Training",
    "Victim",
    "__version__",
    "adopt",
    "analysis",
    "corrupt",
    "deploy",
    "load_packed",
    "model",
    "noise",
    "quantize",
    "report",
    "results",
    "run",
    "save_packed",
    "task",
    "train",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"bitproof.{name}")
    if name not in _NAMES:
        raise AttributeError(f"module 'bitproof' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_NAMES[name]), _RENAMED.get(name, name))


def __dir__() -> list[str]:
    return __all__
