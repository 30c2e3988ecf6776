"""A float model → a low-bit model and the report of what was done."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bitproof.convert.attention import open_
from bitproof.convert.flow import BATCH, Flow, is_batch_norm, registered, run, trace, watch
from bitproof.convert.fold import fold_
from bitproof.convert.guide import guide, guided, quantizers_of
from bitproof.convert.layers import QuantLayer, hardtanh_for_relu_, input_channels, keep_signs_, output_axis, replace_, weight_of
from bitproof.convert.plan import Decision, ProductDecision, decide, decide_products
from bitproof.convert.products import QuantAttention, QuantMatmul, one_door_
from bitproof.convert.recipe import WHOLE, Recipe
from bitproof.convert.reconstruct import asks, reconstruct
from bitproof.convert.reparametrise import reparametrise_, reparametrising
from bitproof.convert.report import LayerReport, ProductReport, Report
from bitproof.core import DataError, ModelError
from bitproof.quantizers import OPERANDS, QUANTIZERS

_SAMPLE = 2  # samples of the first batch that show the order of the layers and check the folds


class Converted(NamedTuple):
    """A model and what was done to it. The model is a copy, in evaluation mode."""

    model: nn.Module
    report: Report


def quantize(model: nn.Module, recipe: str | Recipe, calibration: Iterable[Any], sample: Any = None) -> Converted:
    """Make a low-bit copy of ``model`` with ranges from ``calibration``; the given model is not changed.

    A batch is a tensor, a tuple of arguments or a dict of keyword arguments; any sizes, read once. Trained methods start
    from these ranges too. ``sample``: the batch that shows the order of the layers and checks the folds, without one the first
    samples of the first batch: for a network whose answers are sorted, one on which it gives what it sorts.
    Raises SpecError for the recipe, DataError without a batch, ModelError when nothing can change or the model fails on a batch,
    ShapeError naming the layer when a batch brings NaN.
    """
    recipe = Recipe.parse(recipe) if isinstance(recipe, str) else recipe
    if recipe.bits is None:
        return insert(model, recipe)
    batches = iter(_batches(calibration))
    first = next(batches, None)
    if first is None:
        raise DataError("There is no calibration batch; hand in at least one.")
    converted = insert(model, recipe, _few(first) if sample is None else sample)
    calibrate(converted.model, itertools.chain([first], batches))
    return _with_gains(converted)


def _with_gains(converted: Converted) -> Converted:
    """Count what a method learns beside weights and scales: how much it is shows when the network has run."""
    layers = [module for module in converted.model.modules() if isinstance(module, QuantLayer) and module.gain is not None]
    bytes_of = {layer.name: _bytes(layer.gain.parameters()) for layer in layers}
    counted = (replace(each, size_bytes=each.size_bytes + bytes_of.get(each.name, 0)) for each in converted.report.layers)
    return Converted(converted.model, replace(converted.report, layers=tuple(counted)))


def insert(model: nn.Module, recipe: str | Recipe, sample: Any = None) -> Converted:
    """Make the low-bit structure without ranges: for a state dict, or for ``calibrate``.

    The order of the layers and the batch norms to fold are watched on ``sample`` if there is one, else read from the
    model's graph. Raises ModelError when nothing can change, or when folding needs a sample and there is none.
    """
    recipe = Recipe.parse(recipe) if isinstance(recipe, str) else recipe
    if recipe.method != "fp32" and any(isinstance(module, QuantLayer) for module in model.modules()):
        raise ModelError(
            f"{type(model).__name__} is low-bit already; {str(recipe)!r} needs the float network that it was made from."
        )
    result = copy.deepcopy(model).eval()
    if recipe.bits is not None:
        result = open_(result)
    if recipe.product_bits is not None:
        one_door_(result)
    sizes = {name: _bytes(held) for name, held in _held(result.named_modules()).items()}
    replaced = hardtanh_for_relu_(result) if recipe.relu == "hardtanh" else ()
    flow = _flow(result, recipe, sample)
    folded = fold_(result, flow.pairs, sample) if recipe.fold else {}
    decisions, products = decide(result, recipe, flow), decide_products(result, recipe, flow)
    if recipe.bits is not None and not any(d.bits for d in decisions):
        raise ModelError(f"{type(model).__name__} has no layer that {str(recipe)!r} can change: {_reasons(decisions)}.")
    held = _held((d.name, d.module) for d in sorted(decisions, key=_stored_bits, reverse=True))
    layers = []
    for decision in decisions:
        norm = folded.get(decision.name)
        before = sizes[decision.name] + (sizes[norm] if norm else 0)
        layers.append(_describe(decision, recipe, held[decision.name], before))
        if decision.bits is not None:
            low_bit = _low_bit(decision, decision.bits, recipe)
            replace_(result, decision.module, low_bit)
            result = low_bit if result is decision.module else result
    kept = keep_signs_(result) if any(map(_cuts_at_zero, result.modules())) else ()
    for product in products:
        if product.bits is not None:
            replace_(result, product.module, _attention(product, product.bits, recipe))
    told = tuple(ProductReport(d.product.name, d.product.kind, d.product.count, d.bits, d.reason) for d in products)
    norms = tuple((norm, layer) for layer, norm in folded.items())
    report = Report(str(recipe), tuple(layers), _defaults(recipe), norms, replaced, told, kept)
    return Converted(result.eval(), report)


def _cuts_at_zero(module: nn.Module) -> bool:
    return isinstance(module, QuantLayer) and module.input_quantizer is not None and module.input_quantizer.at_zero


@torch.no_grad()
def calibrate(model: nn.Module, batches: Iterable[Any]) -> None:
    """Set the ranges of every quantized layer from the float model's values on ``batches``, in evaluation mode.

    Where a method rescales norms, that is done first; where it learns how weights are rounded, or chooses ranges by the loss, that
    is done then, and the batches are kept for it. Raises ShapeError naming the layer on NaN, ModelError when the model fails on a
    batch, BitproofError naming a layer that never ran.
    """
    batches = _batches(batches)
    layers = [module for module in model.modules() if isinstance(module, (QuantLayer, QuantAttention))]
    learns, rescales = any(map(asks, layers)), any(map(reparametrising, layers))
    guides = any(map(guided, quantizers_of(layers)))
    kept = list(batches) if learns or rescales or guides else None
    model.eval()
    if kept and rescales:
        reparametrise_(model, kept)
    for layer in layers:
        if isinstance(layer, QuantLayer):
            layer.observe_weight()
        layer.observing = True
    try:
        for batch in batches if kept is None else kept:
            run(model, batch)
    finally:
        for layer in layers:
            layer.observing = False
    for layer in layers:
        layer.freeze_input()
    if kept is not None and learns:
        reconstruct(model, kept)
    if kept is not None and guides:
        guide(model, kept)


def _batches(calibration: Iterable[Any]) -> Iterable[Any]:
    if isinstance(calibration, Tensor):
        raise DataError(
            f"The calibration is one tensor {tuple(calibration.shape)}; it must hold batches. {BATCH} Type calibration=[x] for one."
        )
    return calibration


def _flow(model: nn.Module, recipe: Recipe, sample: Any) -> Flow:
    if recipe.bits is None:
        return registered(model)
    if sample is None and recipe.product_bits is not None:
        raise ModelError(
            f"{str(recipe)!r} makes products of activations low-bit, which only show when {type(model).__name__} runs. "
            "Hand in a batch: insert(model, recipe, sample), or take a recipe with products=float."
        )
    flow = watch(model, sample) if sample is not None else trace(model)
    if flow is not None:
        return flow
    if recipe.fold and any(map(is_batch_norm, model.modules())):
        raise ModelError(
            f"{type(model).__name__} has no graph to read which batch norm follows which layer. "
            "Hand in a batch: insert(model, recipe, sample), or take a recipe with fold=false."
        )
    return registered(model)


def _low_bit(decision: Decision, bits: tuple[int, int], recipe: Recipe) -> QuantLayer:
    w = weight_of(decision.module)
    axis = output_axis(decision.module)
    channels = w.shape[axis] if recipe.per == "channel" else None
    weight = None if bits[0] == WHOLE else recipe.quantizer("weight", bits[0], channels, axis).to(w.device)
    inputs = None if bits[1] == WHOLE else recipe.input_quantizer(bits[1], input_channels(decision.module), 1 - w.ndim).to(w.device)
    return QuantLayer(decision.module, weight, inputs, decision.name)


def _attention(decision: ProductDecision, bits: int, recipe: Recipe) -> QuantAttention:
    device = next(decision.module.parameters(), torch.empty(0)).device
    query, key, m, value = (recipe.operand_quantizer(operand, bits).to(device) for operand in OPERANDS)
    return QuantAttention(decision.module, QuantMatmul(query, key), QuantMatmul(m, value), decision.product.name)


def _describe(decision: Decision, recipe: Recipe, held: Sequence[nn.Parameter], float_bytes: int) -> LayerReport:
    module, kind = decision.module, type(decision.module).__name__
    if decision.bits is None:
        return LayerReport(decision.name, kind, False, decision.reason, _bytes(held), float_bytes)
    w_bits, a_bits = decision.bits
    w = weight_of(module)
    scales = w.shape[output_axis(module)] if recipe.per == "channel" else 1
    codes = sum(-(-p.numel() * w_bits // 8) for p in held if p is w)
    size = codes + 4 * scales * (w_bits != WHOLE) + _bytes(p for p in held if p is not w)
    if a_bits != WHOLE:
        size += 4 * input_channels(module) * QUANTIZERS.load(recipe.method).stored_per_input_channel
    numbers = (recipe.method, w_bits, a_bits, recipe.per or "", recipe.symmetric)
    return LayerReport(decision.name, kind, True, decision.reason, size, float_bytes, *numbers)


def _bytes(parameters: Iterable[nn.Parameter]) -> int:
    return sum(p.numel() * p.element_size() for p in parameters)


def _held(modules: Iterable[tuple[str, nn.Module]]) -> dict[str, list[nn.Parameter]]:
    """Return each module's own parameters; one that several share counts with the first."""
    seen = set[nn.Parameter]()
    held = {}
    for name, module in modules:
        held[name] = [p for p in module.parameters(recurse=False) if p not in seen]
        seen.update(held[name])
    return held


def _stored_bits(decision: Decision) -> int:
    """A shared weight is stored as its most demanding layer needs it."""
    return decision.bits[0] if decision.bits else 32


def _reasons(decisions: list[Decision]) -> str:
    return "; ".join(sorted({f"{type(d.module).__name__}: {d.reason}" for d in decisions})) or "it has no parameters"


def _defaults(recipe: Recipe) -> str:
    if recipe.bits is None:
        return "no layer is quantized"
    symmetric = "symmetric" if recipe.symmetric else "affine"
    folding = "batch norms folded" if recipe.fold else "batch norms not folded"
    ends = f"first layer {_end(recipe.first)}, last layer {_end(recipe.last)}"
    rounding = QUANTIZERS.load(recipe.method).at_width(recipe.w_bits or WHOLE).rounding
    kept = f", kept float by name: {recipe.keep}" if recipe.keep and recipe.keeps_by_custom else ""
    own = "".join(f", {pattern} w{w}a{a}" for pattern, (w, a) in recipe.own_bits)
    relu = ", ReLU made Hardtanh" if recipe.relu == "hardtanh" else ""
    weights = "float" if recipe.w_bits == WHOLE else f"symmetric per {recipe.per}"
    inputs = "float" if recipe.a_bits == WHOLE else f"{symmetric} per tensor"
    ranges = f"weights {weights}, activations {inputs}"
    around = f", products {_end(recipe.products)}" * (recipe.products != "float")
    around += f", embeddings: {recipe.embed}" * (recipe.embed != "float")
    return f"{ranges}, {ends}{own}{kept}, {folding}{relu}{around}, rounding {rounding}"


def _end(value: str | None) -> str:
    return f"{value} bits" if value and value.isdigit() else f"{value}"


def _few(batch: Any) -> Any:
    if isinstance(batch, Tensor):
        return batch[:_SAMPLE] if batch.ndim else batch
    if isinstance(batch, dict):
        return {key: _few_of(value) for key, value in batch.items()}
    return tuple(map(_few_of, batch)) if isinstance(batch, (tuple, list)) else batch


def _few_of(argument: Any) -> Any:
    """A list among the arguments is one of samples, as detectors take pictures of different sizes."""
    return argument[:_SAMPLE] if isinstance(argument, list) else _few(argument)
