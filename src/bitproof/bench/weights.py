"""State dicts on disk: whole or absent, and never code."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bitproof.core import StoreError


def write_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write a state dict under a temporary name, then rename it. Raises StoreError naming ``path``."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous().clone() for key, value in state.items()}, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except Exception as error:  # safetensors has an error class of its own for a full disk
        with suppress(OSError):
            part.unlink()
        raise StoreError(f"{str(path)!r} cannot be written: {error}. Nothing else was touched.") from None


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read what ``write_weights`` wrote. Raises StoreError saying how to mend a damaged file."""
    try:
        return load_file(path)
    except Exception as error:
        raise StoreError(
            f"The variant {str(path)!r} is damaged ({error}). Delete that file and run the same command again."
        ) from None
