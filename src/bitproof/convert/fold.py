"""Batch norms folded into the layers before them, and put back wherever the outputs then differ."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bitproof.convert.flow import run, watch
from bitproof.convert.layers import QuantLayer, output_axis, replace_

_RELATIVE = 1e-3  # of the largest output: far above rounding, far below what a wrong fold does


def folded(layer: Any, norm: Any) -> nn.Module:
    """Return a copy of ``layer`` that gives norm(layer(x)): w' = w·γ/√(σ² + ε), b' = (b − μ)·γ/√(σ² + ε) + β.

    Raises ValueError where channels or statistics are missing. Source: arXiv 1712.05877, section 3.2.
    """
    result: Any = copy.deepcopy(layer)
    w, groups, axis = result.weight, getattr(layer, "groups", 1), output_axis(layer)
    transposed = w.ndim + axis == 1
    if norm.running_var is None or norm.running_mean is None:
        raise ValueError("the batch norm keeps no running statistics")
    channels = len(norm.running_var)
    if w.shape[axis] * (groups if transposed else 1) != channels:
        raise ValueError(f"the batch norm has {channels} channels and the layer other ones")
    gain = (norm.running_var.double() + norm.eps).rsqrt()
    gain = gain if norm.weight is None else gain * norm.weight.double()
    shift = -norm.running_mean.double() * gain
    shift = shift if norm.bias is None else shift + norm.bias.double()
    bias = shift if result.bias is None else shift + result.bias.double() * gain
    per_output = gain.reshape(groups, 1, -1) if transposed else gain.reshape(1, -1, 1)
    split = w.reshape(groups, w.shape[0] // groups, -1, *w.shape[2:]) if transposed else w.reshape(1, w.shape[0], -1)
    scaled = split.double() * per_output.reshape(*per_output.shape, *[1] * (split.ndim - 3))
    result.weight = nn.Parameter(scaled.reshape(w.shape).to(w.dtype), w.requires_grad)
    result.bias = nn.Parameter(bias.to(w.dtype), w.requires_grad)
    done: nn.Module = result
    return done


class Folded(nn.Sequential):
    """What is left of a norm without its normalisation: its children (timm's norms hold drop and act), or nothing."""


def fold_(model: nn.Module, pairs: Mapping[str, str], sample: Any = None) -> dict[str, str]:
    """Fold batch norms into layers, in place, and return the layer → norm pairs that were folded.

    With a ``sample`` batch only pairs are folded whose fold leaves the output as it was, see ``holding``.
    """
    pairs = pairs if sample is None else holding(model, pairs, sample)
    folds = _folds(model, pairs)
    for fold in folds.values():
        fold.do()
    return {layer: fold.norm for layer, fold in folds.items()}


def holding(model: nn.Module, pairs: Mapping[str, str], sample: Any) -> dict[str, str]:
    """Return the pairs whose fold leaves the model's output on ``sample`` as it was.

    They are tried on a copy whose batch norms are disturbed, so that a wrong fold shows even where a norm does nothing yet.
    """
    probe = _disturbed(model, pairs.values())
    folds = _folds(probe, pairs)
    before = _outputs(probe, sample)
    for fold in folds.values():
        fold.do()
    if not _same(before, _outputs(probe, sample)):
        for fold in folds.values():
            fold.undo()
        folds = {layer: fold for layer, fold in folds.items() if _holds(probe, fold, before, sample)}
    return {layer: fold.norm for layer, fold in folds.items()}


def fused(model: nn.Module, sample: Any) -> nn.Module:
    """Return a faster copy of a model that is only asked from now on; channels last are kept.

    A float model has its batch norms folded, which is equal up to rounding; one where nothing can be folded is returned as it is.
    A model that rounds keeps them, since the last digit may decide which code a value gets; its weights are quantized once for
    all, and it gives the same numbers bit for bit.
    """
    result = copy.deepcopy(model)
    if any(isinstance(getattr(module, "gradient", None), str) for module in model.modules()):
        for module in result.modules():
            if isinstance(module, QuantLayer):
                module.settle_weight()
        return result
    with torch.no_grad():
        pairs = watch(result, sample).pairs
    if not fold_(result, pairs, sample):
        return model
    last = any(w.ndim == 4 and not w.is_contiguous() for w in model.parameters())
    return result.to(memory_format=torch.channels_last) if last else result


class _Fold:
    def __init__(self, model: nn.Module, layer: str, norm: str) -> None:
        self._model, self.norm = model, norm
        old_layer, old_norm = model.get_submodule(layer), model.get_submodule(norm)
        self._swaps = [(old_layer, folded(old_layer, old_norm)), (old_norm, Folded(*old_norm.children()))]

    def do(self) -> None:
        for old, new in self._swaps:
            replace_(self._model, old, new)

    def undo(self) -> None:
        for old, new in self._swaps:
            replace_(self._model, new, old)


def _folds(model: nn.Module, pairs: Mapping[str, str]) -> dict[str, _Fold]:
    folds = {}
    for layer, norm in pairs.items():
        with suppress(ValueError):
            folds[layer] = _Fold(model, layer, norm)
    return folds


def _disturbed(model: nn.Module, norms: Iterable[str]) -> nn.Module:
    probe = copy.deepcopy(model)
    for name in norms:
        norm = probe.get_submodule(name)
        if isinstance(norm.running_mean, Tensor) and isinstance(norm.running_var, Tensor):
            norm.running_mean += 0.1 * norm.running_var.sqrt()
            norm.running_var *= 1.5
    return probe


def _holds(model: nn.Module, fold: _Fold, before: list[Tensor], sample: Any) -> bool:
    fold.do()
    if _same(before, _outputs(model, sample)):
        return True
    fold.undo()
    return False


@torch.no_grad()
def _outputs(model: nn.Module, sample: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(run(model, sample)) if isinstance(leaf, Tensor)]


def _same(before: list[Tensor], now: list[Tensor]) -> bool:
    if [a.shape for a in before] != [b.shape for b in now]:  # how much a network answers may depend on its numbers, as in detection
        return False
    pairs = ((a, b) for a, b in zip(before, now, strict=True) if a.numel())
    return all(bool((a - b).abs().max() <= _RELATIVE * a.abs().max().clamp_min(1e-6)) for a, b in pairs)
