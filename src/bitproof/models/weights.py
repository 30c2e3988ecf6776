"""Checkpoints are tensors. One that holds anything else is refused, because to unpickle it is to run it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bitproof.core import ModelError

#: Keys under which training scripts keep the state dict.
NESTED = ("state_dict", "model")

#: Endings of files that ``torch.save`` wrote.
TORCH = (".pt", ".pth", ".bin", ".ckpt")


def located(path: str | Path) -> Path:
    """Return ``path`` with ``~`` and ``$VARIABLES`` filled in."""
    return Path(os.path.expandvars(path)).expanduser()


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` file or from one of ``torch.save``.

    A state dict one level down (``state_dict``, ``model``) is found; the prefix ``module.`` of data-parallel training is dropped.
    Raises ModelError where the file is missing, damaged, of another kind, or holds anything that is not a tensor.
    """
    path = located(path)
    if not path.is_file():
        raise ModelError(f"The weights {str(path)!r} do not exist.")
    state = _read(path)
    for key in NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{str(path)!r} holds no state dict (names to tensors). Save model.state_dict() instead.")
    names = [str(name) for name in state]
    start = len("module.") if all(name.startswith("module.") for name in names) else 0
    return {name[start:]: value for name, value in zip(names, state.values(), strict=True)}


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix in TORCH:
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise ModelError(
            f"{str(path)!r} is damaged or holds more than tensors{f' ({found[1]})' if found else ''}. It was not opened, because "
            "opening it would run its code. Save model.state_dict() as .safetensors where you trust the file."
        ) from None
    except Exception as error:  # torch raises a dozen kinds, one for each way in which a file can be broken
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ModelError(f"{str(path)!r} cannot be read as weights; it is damaged or of another kind ({reason}).") from None
    raise ModelError(f"Weights must end in .safetensors, {', '.join(TORCH)}; found {str(path)!r}.")


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Fill ``module`` from the file at ``path``. Raises ModelError listing the names and shapes that do not match."""
    given, wanted = read_weights(path), module.state_dict()
    wrong = [
        *(f"missing {name}" for name in wanted if name not in given and not name.endswith("num_batches_tracked")),
        *(f"surplus {name}" for name in given if name not in wanted),
        *(
            f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
            for name in wanted
            if name in given and not is_lazy(wanted[name]) and given[name].shape != wanted[name].shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ModelError(f"{str(path)!r} does not fit {type(module).__name__}: {'; '.join(wrong[:5])}{more}.")
    module.load_state_dict(given, strict=False)
