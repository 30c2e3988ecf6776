"""What a network multiplies, and what it is on packed kernels: for the row of a variant."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from bitproof.convert import WEIGHTED, QuantLayer, as_opened
from bitproof.core import ModelError
from bitproof.export import PackedTexts, Program, deploy, save_packed
from bitproof.kernels import REFERENCE, chosen
from bitproof.models import MASK

#: Forwards of each network that are timed, after WARM ones.
TIMED, WARM = 9, 2


@dataclass(frozen=True)
class Work:
    """Multiply-adds of one sample in layers with weights, and what of them, and of the weights, has one bit on both sides."""

    macs: int
    macs_binary: int
    weights_binary: int


def work_of(model: nn.Module, like: Tensor) -> Work:
    """Count while ``model`` runs on the first sample of ``like``; a layer that runs twice counts twice, its weights once.

    A layer's multiply-adds: its weight's size × its output's positions, of a transposed convolution its input's.
    """
    model = as_opened(model)
    counts: dict[nn.Module, int] = {}

    def count(layer: nn.Module, given: tuple[Any, ...], y: Tensor) -> None:
        counts[layer] = counts.get(layer, 0) + _macs(_inner(layer), given[0], y)

    inside = {module.layer for module in model.modules() if isinstance(module, QuantLayer)}
    found = [m for m in model.modules() if isinstance(m, QuantLayer) or (isinstance(m, WEIGHTED) and m not in inside)]
    handles = [layer.register_forward_hook(count) for layer in found]
    try:
        with torch.no_grad():
            model(like[:1])
    finally:
        for handle in handles:
            handle.remove()
    binary = [layer for layer in found if _is_binary(layer)]
    return Work(
        macs=sum(counts.values()),
        macs_binary=sum(counts.get(layer, 0) for layer in binary),
        weights_binary=sum(_inner(layer).weight.numel() for layer in binary),
    )


def _inner(layer: nn.Module) -> Any:
    return layer.layer if isinstance(layer, QuantLayer) else layer


def _is_binary(layer: nn.Module) -> bool:
    sides = (layer.weight_quantizer, layer.input_quantizer) if isinstance(layer, QuantLayer) else (None,)
    return all(side is not None and side.bits == 1 for side in sides)


def _macs(layer: Any, x: Tensor, y: Tensor) -> int:
    if isinstance(layer, nn.Linear):
        return int(layer.weight.numel() * y.numel() // y.shape[-1])
    whole = x if getattr(layer, "transposed", False) else y
    return int(layer.weight.numel() * whole.numel() // (whole.shape[0] * whole.shape[1]))


@dataclass(frozen=True)
class OnKernels:
    """Bytes on disk, and milliseconds at batch 1 of the packed network and of the float one; None where no kernels are built."""

    size_bytes: int | None = None
    packed_ms: float | None = None
    float_ms: float | None = None


def packed_of(model: nn.Module, control: nn.Module, like: Tensor) -> OnKernels | None:
    """What ``model`` is when its 1-bit layers are packed, beside the float ``control``; None where it cannot be packed.

    ``like``: two samples or more. The NumPy reference that stands in for kernels is not timed: it is there to be read.
    """
    try:
        packed = deploy(model, like).model
        if not isinstance(packed, (Program, PackedTexts)):
            return None
        with TemporaryDirectory() as folder:
            size = save_packed(packed, Path(folder) / "packed.safetensors")
    except ModelError:
        return None
    if chosen() == REFERENCE:
        return OnKernels(size)
    return OnKernels(size, *latencies([packed, control], _blank(like)))


def _blank(like: Tensor) -> Tensor:
    """One sample as large as any: a black picture, silence, or a text without an empty position."""
    x = torch.zeros_like(like[:1])
    if not x.is_floating_point():
        x[:, MASK] = 1
    return x


def latencies(models: list[Any], x: Tensor) -> list[float]:
    """Median milliseconds of each model on ``x``, by turns, so that what else the machine does meets all of them."""
    times: list[list[float]] = [[] for _ in models]
    with torch.inference_mode():
        for i in range(WARM + TIMED):
            for model, mine in zip(models, times, strict=True):
                mine.extend([_timed(model, x)] * (i >= WARM))
    return [statistics.median(mine) for mine in times]


def _timed(model: Callable[[Tensor], Any], x: Tensor) -> float:
    start = time.perf_counter()
    model(x)
    return 1e3 * (time.perf_counter() - start)
