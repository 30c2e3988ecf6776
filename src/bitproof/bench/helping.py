"""The processes of ``accelerate launch``: the first runs the grid, the others help it to train and do nothing else."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bitproof.core import SpecError

#: How long a helper waits for the next training: cells of hours may lie between two.
_PATIENCE = timedelta(days=60)


def processes() -> int:
    """Return how many processes the launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def helps() -> bool:
    """Return whether this is one of the processes that only help to train."""
    return processes() > 1 and int(os.environ.get("RANK", "0")) > 0


@contextmanager
def leading() -> Iterator[None]:
    """Be the first process; at the end the helpers are let go."""
    if processes() == 1:
        yield
        return
    _group()
    try:
        yield
    finally:
        _share(None)


def announce(variant: str) -> None:
    """Call the helpers, where there are any, to train the variant of this id."""
    if processes() > 1 and not helps():
        _share(variant)


def announced() -> Iterator[str]:
    """Yield the ids of the variants that are to be trained, until the first process has done all."""
    while (variant := _share(None)) is not None:
        yield variant


def check_processes(asked: int) -> None:
    """Raise SpecError where another number of processes was started than the training asks for."""
    if asked != processes():
        how = f"accelerate launch --num_processes {asked} -m bitproof run …" if asked > 1 else "bitproof run … (without a launcher)"
        raise SpecError(
            f"The training has processes={asked}, and {processes()} were started: batch norms see a process's part of a batch, so "
            f"the number decides what is learned. Type {how}, or write processes: {processes()} into the grid's training."
        )


@functools.cache
def _group() -> Any:
    """A group of all processes for words, on the CPU; the one for gradients is accelerate's."""
    import torch.distributed
    from accelerate import Accelerator

    Accelerator()
    return torch.distributed.new_group(backend="gloo", timeout=_PATIENCE)


def _share(word: str | None) -> str | None:
    import torch
    import torch.distributed

    box = [word]
    torch.distributed.broadcast_object_list(box, src=0, group=_group(), device=torch.device("cpu"))
    return box[0]
