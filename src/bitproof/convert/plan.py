"""Which layer gets what, and why the others stay float."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from bitproof.convert.flow import Flow
from bitproof.convert.layers import WEIGHTED
from bitproof.convert.recipe import Recipe
from bitproof.core import SpecError

_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Decision:
    """A module with parameters of its own: the bits of its weight and input, or None and why it stays float."""

    name: str
    module: nn.Module
    bits: tuple[int, int] | None
    reason: str


def decide(model: nn.Module, recipe: Recipe, flow: Flow) -> list[Decision]:
    """Return a decision for each module that has parameters of its own, in order of registration.

    Raises SpecError when ``keep`` or a pattern of ``layers`` names no layer.
    """
    patterns = [(pattern, f"layers: {pattern!r}") for pattern, _ in recipe.own_bits]
    if recipe.keep and not recipe.keeps_by_custom:
        patterns.append((recipe.keep, f"keep={recipe.keep!r}"))
    for pattern, where in patterns:
        if not any(re.search(pattern, name) for name in flow.order):
            raise SpecError(f"{where} is found in no layer's name. Layers: {', '.join(flow.order)}.")
    names = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    tied = _tied(model)
    decisions = []
    for name, module in model.named_modules():
        if next(module.parameters(recurse=False), None) is None and not isinstance(module, WEIGHTED):
            continue
        bits, reason = _one(name, module, recipe, flow)
        notes = [reason] if reason else []
        if bits and names[id(module)] > 1:
            notes.append(f"shared by {names[id(module)]} names")
        if id(getattr(module, "weight", None)) in tied:
            notes.append("weight tied to another layer's")
        decisions.append(Decision(name, module, bits, "; ".join(notes)))
    return decisions


def _one(name: str, module: nn.Module, recipe: Recipe, flow: Flow) -> tuple[tuple[int, int] | None, str]:
    if not isinstance(module, WEIGHTED):
        return None, _kind(module)
    for refuses, reason in _refusals(name, module, recipe, flow):
        if refuses:
            return None, reason
    for pattern, own in recipe.own_bits:
        if re.search(pattern, name):
            return own, f"bits by layers: {pattern}"
    for end, at in (("first", 0), ("last", -1)):
        if name == flow.order[at]:
            bits = recipe.at(end)
            return bits, f"{end} layer" if bits else f"{end}=float"
    return recipe.bits, ""


def _refusals(name: str, module: nn.Module, recipe: Recipe, flow: Flow) -> Iterator[tuple[bool, str]]:
    yield recipe.bits is None, f"the recipe is {recipe.method}"
    yield bool(recipe.keep and re.search(recipe.keep, name)), f"kept by keep={recipe.keep}"
    yield "weight" not in module._parameters, "its weight is computed (a parametrization)"
    dtype = getattr(module._parameters.get("weight"), "dtype", None)
    yield dtype not in (None, torch.float32), f"its weight is {dtype}: torch.float32 is needed"
    packed = isinstance(module, NonDynamicallyQuantizableLinear)  # nn.MultiheadAttention's mark for its out_proj
    reason = "nn.MultiheadAttention reads its weight without calling it" if packed else f"its forward did not run {flow.where}"
    yield name not in flow.order, reason


def _kind(module: nn.Module) -> str:
    if isinstance(module, _NORMS):
        return "normalisation stays float"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embeddings stay float"
    if isinstance(module, nn.MultiheadAttention):
        return "nn.MultiheadAttention reads its packed weights without calling a layer"
    return f"{type(module).__name__} is no conv or linear layer"


def _tied(model: nn.Module) -> set[int]:
    holders = Counter(id(w) for module in model.modules() if (w := module._parameters.get("weight")) is not None)
    return {key for key, count in holders.items() if count > 1}
