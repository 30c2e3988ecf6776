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

from bitproof.convert.attention import closed
from bitproof.convert.flow import Flow
from bitproof.convert.layers import WEIGHTED
from bitproof.convert.recipe import WHOLE, Recipe
from bitproof.convert.seen import Product
from bitproof.core import SpecError

_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Decision:
    """A module with parameters of its own: the bits of its weight and input, or None and why it stays float."""

    name: str
    module: nn.Module
    bits: tuple[int, int] | None
    reason: str


@dataclass(frozen=True)
class ProductDecision:
    """Products of two activations in one module: bits of their operands, or None and why they stay float."""

    product: Product
    module: nn.Module
    bits: int | None
    reason: str


def decide(model: nn.Module, recipe: Recipe, flow: Flow) -> list[Decision]:
    """Return a decision for each module that has parameters of its own, in order of registration.

    Raises SpecError when ``keep`` or a pattern of ``layers`` names no layer.
    """
    patterns = [(pattern, f"layers: {pattern!r}") for pattern, _ in recipe.own_bits]
    if recipe.keep and not recipe.keeps_by_custom:
        patterns.append((recipe.keep, f"keep={recipe.keep!r}"))
    vocabulary = _vocabulary(model, recipe)
    named = _nameable(model, recipe, flow, vocabulary)
    for pattern, where in patterns:
        if not any(re.search(pattern, name) for name in named):
            raise SpecError(f"{where} is found in no layer's name. Layers: {', '.join(named)}.")
    names = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    tied, whole = _tied(model), closed(model)
    decisions = []
    for name, module in model.named_modules():
        if next(module.parameters(recurse=False), None) is None and not isinstance(module, WEIGHTED):
            continue
        bits, reason = _embedding(name, module, recipe, vocabulary) or _one(name, module, recipe, flow)
        reason = f"{reason}: {whole[module]}" if module in whole else reason
        notes = [reason] if reason else []
        if bits and names[id(module)] > 1:
            notes.append(f"shared by {names[id(module)]} names")
        if id(getattr(module, "weight", None)) in tied:
            notes.append("weight tied to another layer's")
        decisions.append(Decision(name, module, bits, "; ".join(notes)))
    return decisions


def _nameable(model: nn.Module, recipe: Recipe, flow: Flow, vocabulary: nn.Module | None) -> list[str]:
    """What the recipe could change: layers, and where it says so, products and embeddings."""
    found = flow.products or () if recipe.product_bits is not None else ()
    products = [product.name for product in found if _closed(product) is None]
    embeddings = [name for name, module in model.named_modules() if _asked(module, recipe, vocabulary)]
    return list(dict.fromkeys([*flow.order, *products, *embeddings]))


def decide_products(model: nn.Module, recipe: Recipe, flow: Flow) -> tuple[ProductDecision, ...]:
    """Return a decision for the products of each module that was seen to compute some.

    Raises SpecError where low bits are asked for by name and no attention was seen.
    """
    modules = dict(model.named_modules())
    found = flow.products or []
    if recipe.asks_for_products and not any(product.kind == "attention" for product in found):
        raise SpecError(
            f"products={recipe.products}: {type(model).__name__} computes no attention by torch's scaled_dot_product_attention, "
            f"which is where its products can be met. {_bare(found)}Leave 'products' out."
        )
    return tuple(ProductDecision(p, modules[p.name], *_product(p, recipe)) for p in found)


def _bare(found: list[Product]) -> str:
    names = [f"{product.name or '(model)'} ({product.kind})" for product in found]
    return f"Seen were the products of {', '.join(names)}. " if names else ""


def _product(product: Product, recipe: Recipe) -> tuple[int | None, str]:
    if recipe.product_bits is None:
        return None, "products=float" if recipe.bits else f"the recipe is {recipe.method}"
    if reason := _closed(product):
        return None, reason
    if recipe.keep and re.search(recipe.keep, product.name):
        return None, f"kept by keep={recipe.keep}"
    for pattern, (_, bits) in recipe.own_bits:
        if re.search(pattern, product.name):
            return (None if bits == WHOLE else bits), f"bits by layers: {pattern}"
    return recipe.product_bits, ""


def _closed(product: Product) -> str | None:
    """Why no recipe can change the products of a module, or None."""
    if product.kind != "attention":
        where = "inside nn.MultiheadAttention" if product.kind == "closed" else "outside scaled_dot_product_attention"
        return f"computed {where}"
    return f"computed {product.count} times in one module" if product.count > 1 else None


def _asked(module: nn.Module, recipe: Recipe, vocabulary: nn.Module | None) -> bool:
    """Whether it is an embedding that the recipe is about."""
    asked = recipe.embed == "all" or (recipe.embed == "word" and module is vocabulary)
    return type(module) is nn.Embedding and asked and recipe.bits is not None and recipe.bits[0] != WHOLE


def _embedding(
    name: str, module: nn.Module, recipe: Recipe, vocabulary: nn.Module | None
) -> tuple[tuple[int, int] | None, str] | None:
    """The bits of an embedding that the recipe changes: those of its weight alone, since its input is an index."""
    if recipe.bits is None or not _asked(module, recipe, vocabulary):
        return None
    if recipe.keep and re.search(recipe.keep, name):
        return None, f"kept by keep={recipe.keep}"
    own = next((bits for pattern, bits in recipe.own_bits if re.search(pattern, name)), recipe.bits)
    return None if own[0] == WHOLE else ((own[0], WHOLE), f"embed={recipe.embed}")


def _vocabulary(model: nn.Module, recipe: Recipe) -> nn.Module | None:
    """The embedding with the most rows. Raises SpecError where one is asked for by name and there is none."""
    found = [module for module in model.modules() if type(module) is nn.Embedding]
    if not found and recipe.asks_for_embeddings:
        raise SpecError(f"embed={recipe.embed}: {type(model).__name__} has no nn.Embedding. Leave 'embed' out.")
    return max(found, key=lambda module: module.num_embeddings, default=None)


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
