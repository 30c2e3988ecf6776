"""A GPU of paper: tensors that claim to lie on another device and are computed on the CPU, where no GPU is.

An operation on tensors of both devices fails as it does on a GPU, single numbers apart; so does ``numpy()``. What is
tested with it computes the right numbers, and would not have met a tensor on the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

#: No build of torch has a driver for it to look for, and autograd runs it on the calling thread.
GPU = torch.device("meta")


class OnPaper(torch.Tensor):
    """A tensor on the GPU of paper; ``sheet`` holds its numbers."""

    sheet: torch.Tensor

    @staticmethod
    def __new__(cls, sheet: torch.Tensor) -> OnPaper:
        made = torch.Tensor._make_wrapper_subclass(
            cls, sheet.size(), strides=sheet.stride(), storage_offset=sheet.storage_offset(), dtype=sheet.dtype, device=GPU
        )
        made.sheet = sheet
        return made

    def __init__(self, sheet: torch.Tensor) -> None: ...

    def __deepcopy__(self, memo: dict[int, Any]) -> OnPaper:
        return OnPaper(self.sheet.clone())

    def tolist(self) -> Any:
        """Read the numbers, which a GPU allows and a subclass of ``Tensor`` by itself does not."""
        return self.sheet.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Here(TorchDispatchMode):
    """Catches what is made on the GPU, or moved there, from tensors that are not."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    paper = any(isinstance(t, OnPaper) for t in tensors)
    target = kwargs.get("device")
    moves = target is not None or func is torch.ops.aten.copy_.default
    if paper and not moves and any(not isinstance(t, OnPaper) and t.ndim for t in tensors):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} found {GPU} and cpu")
    goes = torch.device(target) == GPU if target is not None else paper
    if func is torch.ops.aten.copy_.default:
        args[0].sheet.copy_(_sheet(args[1])) if isinstance(args[0], OnPaper) else args[0].copy_(_sheet(args[1]))
        return args[0]
    here = {**kwargs, "device": torch.device("cpu")} if target is not None else kwargs
    out = func(*tree_map(_sheet, args), **tree_map(_sheet, here))
    if not goes:
        return out
    known = {id(t.sheet): t for t in tensors if isinstance(t, OnPaper)}
    return tree_map(lambda t: _on_paper(t, known) if isinstance(t, torch.Tensor) else t, out)


def _on_paper(sheet: torch.Tensor, known: dict[int, OnPaper]) -> OnPaper:
    """What an operation in place returns is the very tensor that it was given."""
    return known[id(sheet)] if id(sheet) in known else OnPaper(sheet)


def _tensor(data: Any, *, device: Any = None, make: Any = torch.tensor, **settings: Any) -> torch.Tensor:
    """``torch.tensor``, which makes nothing that a mode could catch."""
    made: torch.Tensor = make(data, **settings)
    return made if device is None else made.to(device)


def _sheet(value: Any) -> Any:
    return value.sheet if isinstance(value, OnPaper) else value


@contextmanager
def paper_gpu() -> Iterator[torch.device]:
    """A GPU of paper to be used inside; yields its device."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # a parameter's data alone would lose its paper
    try:
        with patch("torch.tensor", _tensor), _Here():
            yield GPU
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
