"""A training's memory on disk: replaced as a whole or not at all, read without running code, refused where it does not belong."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from bitproof.core import StoreError
from bitproof.training.history import Epoch, State

#: Raised when the layout of the file changes.
FORMAT = 1


def save(path: Path, run: Mapping[str, str], model: nn.Module, optimizer: Optimizer, state: State) -> None:
    """Write ``path`` so that a crash at any moment leaves the file before or the file after. Raises StoreError."""
    content = {
        "format": FORMAT,
        "run": dict(run),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": dataclasses.asdict(state),
    }
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreError(f"The checkpoint {str(path)!r} cannot be written: {error}.") from error


def load(path: Path, run: Mapping[str, str], model: nn.Module, optimizer: Optimizer) -> State:
    """Fill ``model`` and ``optimizer`` from ``path`` and return where the training stood.

    Raises StoreError, with the file's name and what to type, where it is damaged or was made by another run.
    """
    content = _read(path)
    _check_run(path, content["run"], run)
    try:
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"The checkpoint {str(path)!r} belongs to another network: {error} {_over(path)}") from error
    try:
        state = dict(content["state"])
        return State(**{**state, "history": [Epoch(**row) for row in state["history"]]})
    except (TypeError, ValueError, KeyError) as error:
        raise StoreError(f"The checkpoint {str(path)!r} is damaged: {error}. {_over(path)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # its text tells how to run the file's code all the same
        raise StoreError(f"The checkpoint {str(path)!r} is damaged: it holds more than numbers and words. {_over(path)}") from error
    except Exception as error:  # torch raises a dozen kinds, one for each way in which a file can be broken
        reason = str(error).partition("\n")[0]
        raise StoreError(f"The checkpoint {str(path)!r} is damaged: {reason} {_over(path)}") from error
    keys = {"format", "run", "model", "optimizer", "state"}
    if (
        not isinstance(content, dict)
        or content.keys() != keys
        or content["format"] != FORMAT
        or not isinstance(content["run"], dict)
    ):
        raise StoreError(f"{str(path)!r} is not a checkpoint of this version's training (format {FORMAT}). {_over(path)}")
    return content


def _check_run(path: Path, found: Mapping[str, str], asked: Mapping[str, str]) -> None:
    for name, value in asked.items():
        if found.get(name) != value:
            raise StoreError(
                f"The checkpoint {str(path)!r} was made with {name} {_difference(found.get(name), value)}. "
                f"Go on with the same {name}, or {_over(path, start='delete')}"
            )


def _difference(found: str | None, asked: str) -> str:
    """Name only what differs: identities are long."""
    before, now = (found or "none").split(","), asked.split(",")
    if len(before) != len(now):
        return f"{found}, asked for is {asked}"
    pairs = [(b, n) for b, n in zip(before, now, strict=True) if b != n]
    return f"{', '.join(b for b, _ in pairs)}, asked for is {', '.join(n for _, n in pairs)}"


def _over(path: Path, start: str = "Delete") -> str:
    return f"{start} the file to start over: rm {str(path)!r}"
