"""State dicts on disk: whole or absent, and never code."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bitproof.core import StoreError

#: Under which the file's metadata hold the digest of its tensors; files from before have none.
DIGEST = "digest"


def write_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write a state dict under a temporary name, then rename it. Raises StoreError naming ``path``."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {key: value.contiguous().clone() for key, value in state.items()}
        save_file(whole, part, {DIGEST: _digest(whole)})
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
        state = load_file(path)
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get(DIGEST)
        if told not in (None, _digest(state)):
            raise ValueError("its numbers are not those that were written")
        return state
    except Exception as error:
        raise StoreError(
            f"The variant {str(path)!r} is damaged ({error}). Delete that file and run the same command again."
        ) from None


def _digest(state: dict[str, torch.Tensor]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        found.update(f"{name} {state[name].dtype} {tuple(state[name].shape)}".encode())
        found.update(state[name].flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
