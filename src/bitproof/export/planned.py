"""A program for inputs of one shape: runs of native instructions, and between them what only torch knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bitproof.export.steps import mapped
from bitproof.kernels import Plan


@dataclass(frozen=True)
class Lies:
    """A tensor in a slot whose memory is known when the program runs; ``offset`` in values."""

    slot: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Native:
    """The plan's instructions ``begin`` to ``end``."""

    begin: int
    end: int


@dataclass(frozen=True)
class Call:
    """An operation of torch whose result, of this layout, becomes the memory of ``slot``."""

    run: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    slot: int
    stride: tuple[int, ...]


class Planned:
    """What a planner has found. One call at a time: the memory between its steps is its own.

    Args:
        plan: the native instructions.
        stages: in order.
        output: where the result lies; a tensor where its memory is the plan's own, and then a copy is returned.
        memory: what its steps write.
        constants: what they read beside that; kept, since the plan points at them.
        native: how many of the program's steps torch does not see.
    """

    def __init__(
        self,
        plan: Plan,
        stages: Sequence[Native | Call],
        output: Lies | Tensor,
        memory: Sequence[Tensor],
        constants: Sequence[Tensor],
        native: int,
    ) -> None:
        self._plan, self._stages, self._output = plan, tuple(stages), output
        self._memory, self._constants, self.native = memory, constants, native
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Memory that is kept between two runs."""
        return sum(block.numel() * block.element_size() for block in self._memory)

    def __call__(self, x: Tensor, threads: int) -> Tensor:
        """Run all stages on an input of the shape and layout that was planned."""
        with self._lock:
            bases = {0: x}
            self._plan.bind(0, x.data_ptr())
            for stage in self._stages:
                if isinstance(stage, Native):
                    self._plan.run(stage.begin, stage.end, threads)
                else:
                    bases[stage.slot] = found = self._called(stage, bases)
                    self._plan.bind(stage.slot, found.data_ptr())
            return self._output.clone() if isinstance(self._output, Tensor) else _lying(self._output, bases)

    def _called(self, stage: Call, bases: Mapping[int, Tensor]) -> Tensor:
        def given(leaf: Any) -> Any:
            return _lying(leaf, bases) if isinstance(leaf, Lies) else leaf

        found: Tensor = stage.run(*mapped(stage.args, given), **{key: mapped(value, given) for key, value in stage.kwargs.items()})
        if found.stride() == stage.stride:
            return found
        return torch.empty_strided(found.shape, stage.stride, dtype=found.dtype).copy_(found)


def _lying(at: Lies, bases: Mapping[int, Tensor]) -> Tensor:
    base = bases[at.slot]
    return base.as_strided(at.size, at.stride, at.offset + base.storage_offset())
