"""A program and an input's shape → a plan: every step is done once in torch, and what is seen there is written down.

Views cost nothing: torch itself says which results share memory with what they were made from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bitproof.export.layout import Strides, in_order, moves
from bitproof.export.planned import Call, Lies, Native, Planned
from bitproof.export.product import PRODUCT
from bitproof.export.steps import Named, Ref, Step, leaves, mapped
from bitproof.kernels import Place, Plan

Emitter = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Bits:
    """Packed signs [n, h, w, words] of ``channels``, in the memory of ``words``."""

    words: Tensor
    size: tuple[int, int, int]
    channels: int


class NoPlan(Exception):
    """A step gives what a plan cannot hold."""


class Planner:
    """Writes a plan step by step. ``emitters``: name of an operation → what adds its instructions and returns its result.

    An emitter that cannot serve its arguments returns None before it has added anything, and torch does the step.
    """

    def __init__(self, program: Any, operations: Mapping[str, Emitter], emitters: Mapping[str, Emitter]) -> None:
        self.native = Plan()
        self.program, self.operations, self.emitters = program, operations, emitters
        self.values: dict[int, Any] = {}
        self.stages: list[Native | Call] = []
        self._slots: dict[int, int] = {}  # where memory begins → slot
        self._constants: list[Tensor] = []
        self._kept: list[Tensor] = []  # nothing is freed while a plan is written, so that no two slots begin at one place
        self._blocks: dict[int, Tensor] = {}  # memory that the plan owns
        self._free: list[Tensor] = []
        self._outer: set[int] = set()  # memory that torch gives anew in every run
        self._uses: Counter[int] = Counter()
        self._begun = self._by_torch = 0

    def planned(self, x: Tensor) -> Planned:
        """Return the plan for inputs like ``x``. Raises NoPlan."""
        self._set(0, self._from_torch(torch.empty_strided(x.shape, x.stride(), dtype=x.dtype).zero_()))
        for step in self.program.steps:
            self._set(step.id, self._step(step))
            for dead in self.program.dead[step.id]:
                self._drop(dead)
        self._close()
        output = self.values[self.program.output]
        if not isinstance(output, Tensor):
            raise NoPlan(f"step {self.program.output} gives no tensor")
        native = len(self.program.steps) - self._by_torch
        return Planned(self.native, self.stages, self._lying(output), list(self._blocks.values()), self._constants, native)

    # What emitters ask.

    def place(self, x: Tensor) -> Place:
        """Return where a float tensor, or words, begin."""
        address = x.untyped_storage().data_ptr()
        if address not in self._slots:  # a tensor of the program
            self._slots[address] = self.native.slot(address)
            self._constants.append(x)
        return self._slots[address], int(x.storage_offset())

    def is_constant(self, x: Tensor) -> bool:
        """Say whether a tensor's values are the program's own, the same in every run."""
        address = x.untyped_storage().data_ptr()
        return address not in self._blocks and address not in self._outer

    def new(self, shape: Sequence[int], strides: Strides | None = None) -> Tensor:
        """Return a float tensor on memory of the plan."""
        numel = math.prod(shape)
        fitting = [block for block in self._free if numel <= block.numel() <= 4 * numel + 1024]
        if fitting:
            block = min(fitting, key=Tensor.numel)
            self._free = [each for each in self._free if each is not block]
        else:
            block = torch.zeros(-(-numel // 64) * 64)
            self._blocks[block.data_ptr()] = block
            self._slots[block.data_ptr()] = self.native.slot(block.data_ptr())
        return block.as_strided(tuple(shape), in_order(shape) if strides is None else strides)

    def release(self, x: Tensor) -> None:
        """Give back the memory of something that no step keeps."""
        self._free.append(self._blocks[x.untyped_storage().data_ptr()])

    def copy(self, x: Tensor, y: Tensor) -> Tensor:
        """Copy ``x`` to where ``y`` lies, and return that."""
        self.native.copy(self.place(x), *moves(x, y), self.place(y))
        return y

    # One step.

    def _step(self, step: Step) -> Any:
        args, kwargs = mapped(step.args, self._value), {key: mapped(value, self._value) for key, value in step.kwargs.items()}
        emit = self.emitters.get(step.op)
        found = None if emit is None else emit(self, *args, **kwargs)
        if found is not None:
            return found
        if step.op == PRODUCT or any(isinstance(leaf, Bits) for leaf in leaves((args, list(kwargs.values())))):
            raise NoPlan(f"{step.op} cannot take its input")
        result = self.operations[step.op](*args, **kwargs)
        if not any(self._varies(leaf) for leaf in leaves((args, list(kwargs.values())))):
            return result  # sizes alone decide it: it is a constant of the plan
        if not any(isinstance(leaf, Tensor) and not self._is_view(leaf) for leaf in leaves(result)):
            return result
        if not isinstance(result, Tensor) or result.storage_offset():
            raise NoPlan(f"{step.op} gives several tensors, or a part of one")
        return self._call(step, args, kwargs, result)

    def _call(self, step: Step, args: Any, kwargs: Any, result: Tensor) -> Tensor:
        self._close()
        self._by_torch += 1
        given = mapped(args, self._lying), {key: mapped(value, self._lying) for key, value in kwargs.items()}
        self._from_torch(result)
        slot = self._slots[result.untyped_storage().data_ptr()]
        self.stages.append(Call(self.operations[step.op], *given, slot, result.stride()))
        return result

    def _value(self, leaf: Any) -> Any:
        return (
            self.values[leaf.id] if isinstance(leaf, Ref) else self.program.tensors[leaf.name] if isinstance(leaf, Named) else leaf
        )

    def _varies(self, leaf: Any) -> bool:
        return isinstance(leaf, Tensor) and not self.is_constant(leaf)

    def _is_view(self, x: Tensor) -> bool:
        address = x.untyped_storage().data_ptr()
        return address in self._slots

    def _from_torch(self, x: Tensor) -> Tensor:
        address = x.untyped_storage().data_ptr()
        self._slots[address] = self.native.slot(address)
        self._outer.add(address)
        self._kept.append(x)
        return x

    def _lying(self, leaf: Any) -> Any:
        if isinstance(leaf, Tensor) and (address := leaf.untyped_storage().data_ptr()) in self._outer:
            return Lies(self._slots[address], tuple(leaf.shape), leaf.stride(), int(leaf.storage_offset()))
        return leaf

    def _close(self) -> None:
        """End the run of native instructions that was begun."""
        if len(self.native) > self._begun:
            self.stages.append(Native(self._begun, len(self.native)))
            self._begun = len(self.native)

    # Memory: a block is free when no value that is still to be used lies in it.

    def _set(self, key: int, value: Any) -> None:
        self.values[key] = value
        self._uses.update(_addresses(value))

    def _drop(self, key: int) -> None:
        for address in _addresses(self.values.pop(key)):
            self._uses[address] -= 1
            if not self._uses[address] and address in self._blocks:
                self._free.append(self._blocks[address])


def _addresses(value: Any) -> set[int]:
    found = (leaf.words if isinstance(leaf, Bits) else leaf for leaf in leaves(value))
    return {leaf.untyped_storage().data_ptr() for leaf in found if isinstance(leaf, Tensor)}
