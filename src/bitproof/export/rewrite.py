"""Rewritings of an ONNX graph that change no code: they bring quantizers next to products, where integer kernels begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import helper

from bitproof.export.exported import Codes
from bitproof.export.graph import Array, Graph
from bitproof.export.numbers import Activation, Numbers, Weight, code
from bitproof.export.tracing import DOMAIN

#: The products that have integer kernels.
PRODUCTS = ("Conv", "Gemm", "MatMul")


def neared(graph: Graph, numbers: Mapping[str, Numbers]) -> dict[str, Codes]:
    """Do all rewritings of this file, in place; return each layer's tensor of input codes.

    Of a layer that runs several times the first call's codes are told.
    """
    graph.fold()
    inputs = lower(graph, numbers)
    around = pad_later(graph)
    for step in (turn_weights, pad_in_convs, fold_norms, clip_codes, drop_full_clips):
        step(graph)
        graph.sweep()
    return {layer: Codes(graph.giver(tensor).input[0], around.get(tensor, ())) for layer, tensor in inputs.items()}


def lower(graph: Graph, numbers: Mapping[str, Numbers]) -> dict[str, str]:
    """Replace the stand-ins by QuantizeLinear → Clip → DequantizeLinear; return each layer's dequantized input.

    Two layers that quantize one tensor alike share the nodes. The Clip acts on codes, so that a QuantizeLinear follows
    directly on the product before it.
    """
    shared: dict[tuple[Any, ...], str] = {}
    inputs: dict[str, str] = {}
    calls: dict[str, int] = {}
    for node in [node for node in graph.nodes if node.domain == DOMAIN]:
        layer = attributes(node)["layer"].decode()
        if node.op_type == "Weight":
            graph.drop(node, _weight(graph, node, layer, numbers[layer].w))
            continue
        x = numbers[layer].x
        key = (node.input[0], float(x.scale), int(x.zero), x.top)
        if key not in shared:
            calls[layer] = calls.get(layer, 0) + 1
            shared[key] = _activation(graph, node, layer if calls[layer] == 1 else f"{layer}#{calls[layer]}", x)
        inputs.setdefault(layer, shared[key])
        graph.drop(node, shared[key])
    return inputs


def _activation(graph: Graph, node: Any, name: str, x: Activation) -> str:
    scale, zero = graph.constant(f"{name}.scale", x.scale), graph.constant(f"{name}.zero_point", x.zero)
    rounded, codes, x_hat = f"{name}.rounded", f"{name}.codes", f"{name}.input"
    graph.put(node, "QuantizeLinear", [node.input[0], scale, zero], rounded)
    bounds = [graph.constant(f"{name}.{word}", np.array(bound, np.uint8)) for word, bound in (("low", 0), ("high", x.top))]
    graph.put(node, "Clip", [rounded, *bounds], codes)
    graph.put(node, "DequantizeLinear", [codes, scale, zero], x_hat)
    return x_hat


def _weight(graph: Graph, node: Any, layer: str, w: Weight) -> str:
    output = f"{layer}.weight"
    if graph.giver(output) is None:
        values = {"weight_codes": w.codes, "weight_scale": w.scale, "weight_zero_point": w.zero}
        names = [graph.constant(f"{layer}.{word}", value) for word, value in values.items()]
        graph.put(node, "DequantizeLinear", names, output, axis=w.axis)
    return output


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def dequantizer(graph: Graph, tensor: str) -> Any:
    """The DequantizeLinear that makes ``tensor``, or None."""
    node = graph.giver(tensor)
    return node if node is not None and node.op_type == "DequantizeLinear" else None


def turn_weights(graph: Graph) -> None:
    """Store a weight as it is multiplied: Transpose(DequantizeLinear(codes)) → DequantizeLinear(codesᵀ), so too in a Gemm."""
    for node in [node for node in graph.nodes if node.op_type == "Transpose"]:
        source = dequantizer(graph, node.input[0])
        if source is not None and source.input[0] in graph.constants:
            graph.drop(node, _turned(graph, source, attributes(node)["perm"]))
    for node in [node for node in graph.nodes if node.op_type == "Gemm"]:
        source = dequantizer(graph, node.input[1])
        if source is not None and source.input[0] in graph.constants and attributes(node).get("transB"):
            node.input[1] = _turned(graph, source, [1, 0])
            kept = [a for a in node.attribute if a.name != "transB"]
            del node.attribute[:]
            node.attribute.extend(kept)


def _turned(graph: Graph, source: Any, perm: list[int]) -> str:
    codes, output = f"{source.input[0]}.turned", f"{source.output[0]}.turned"
    if graph.giver(output) is None:
        graph.constant(codes, np.ascontiguousarray(graph.constants[source.input[0]].transpose(perm)))
        axis = perm.index(attributes(source).get("axis", 1))
        graph.put(source, "DequantizeLinear", [codes, *source.input[1:]], output, axis=axis)
    return output


def pad_later(graph: Graph) -> dict[str, tuple[tuple[int, int], ...]]:
    """Let zeros be put around the dequantized tensor, not around the one that is quantized: 0 is a code, so both are the same.

    Returns how many codes of 0 the dequantized tensors then lack, before and after along each axis.
    """
    lacking: dict[str, tuple[tuple[int, int], ...]] = {}
    for node in [node for node in graph.nodes if node.op_type == "QuantizeLinear"]:
        pad = graph.giver(node.input[0])
        if pad is None or pad.op_type != "Pad" or graph.sole_user(pad.output[0]) is not node or not _pads_zeros(graph, pad):
            continue
        x_hat = graph.sole_user(graph.sole_user(node.output[0]).output[0]).output[0]
        node.input[0] = pad.input[0]
        for user in graph.users(x_hat):
            padded = graph.put(user, "Pad", [x_hat, *pad.input[1:]], f"{x_hat}.{user.name}.padded")
            user.input[:] = [padded.output[0] if name == x_hat else name for name in user.input]
        before, after = graph.constants[pad.input[1]].reshape(2, -1).tolist()
        lacking[x_hat] = tuple(zip(before, after, strict=True))
    graph.sweep()
    return lacking


def pad_in_convs(graph: Graph) -> None:
    """Give a conv the zeros that a Pad puts around its dequantized input: 0 is a code, so the kernel pads with it."""
    for pad in [node for node in graph.nodes if node.op_type == "Pad"]:
        if dequantizer(graph, pad.input[0]) is None or not _pads_zeros(graph, pad):
            continue
        ends = graph.constants[pad.input[1]].reshape(2, -1)
        for conv in [user for user in graph.users(pad.output[0]) if user is not None and user.op_type == "Conv"]:
            words = attributes(conv)
            if ends[:, :2].any() or words.get("auto_pad", b"NOTSET") != b"NOTSET":
                continue
            own = words.get("pads", [0] * ends[:, 2:].size)
            kept = [a for a in conv.attribute if a.name != "pads"]
            del conv.attribute[:]
            conv.attribute.extend([*kept, helper.make_attribute("pads", (ends[:, 2:].reshape(-1) + own).tolist())])
            conv.input[0] = pad.input[0]


def _pads_zeros(graph: Graph, pad: Any) -> bool:
    known = all(name in graph.constants for name in pad.input[1:] if name)
    if attributes(pad).get("mode", b"constant") != b"constant" or not known or (len(pad.input) > 3 and pad.input[3]):
        return False
    value = graph.constants[pad.input[2]] if len(pad.input) > 2 and pad.input[2] else np.zeros(())
    return not value.any() and bool((graph.constants[pad.input[1]] >= 0).all())


def fold_norms(graph: Graph) -> None:
    """Put a BatchNormalization behind a conv of codes into the weight's scale and the bias; a negative gain turns codes' signs.

    w_hat·g = codes·(scale·g) exactly, so the codes stay what the quantizer made. Source: arXiv 1712.05877, section 3.2.
    """
    for norm in [node for node in graph.nodes if node.op_type == "BatchNormalization"]:
        conv = graph.giver(norm.input[0])
        known = conv is not None and conv.op_type == "Conv" and all(name in graph.constants for name in conv.input[2:])
        w = dequantizer(graph, conv.input[1]) if known else None
        if w is None or graph.sole_user(conv.output[0]) is not norm or graph.sole_user(w.output[0]) is not conv:
            continue
        gamma, beta, mean, var = (graph.constants[name].astype(np.float64) for name in norm.input[1:5])
        gain = gamma / np.sqrt(var + attributes(norm).get("epsilon", 1e-5))
        if _scaled(graph, w, gain):
            bias = graph.constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(())
            name = graph.constant(f"{w.output[0]}.bias", (beta + (bias - mean) * gain).astype(np.float32))
            conv.input[:] = [*conv.input[:2], name]
            graph.drop(norm, conv.output[0])


def _scaled(graph: Graph, w: Any, gain: Array) -> bool:
    """Multiply the output channels of a conv's weight by ``gain``; False where the codes cannot be turned."""
    codes, scale = (graph.constants[name] for name in w.input[:2])
    per_channel = (-1, *[1] * (codes.ndim - 1))
    turned = codes.astype(np.int32) * np.where(gain < 0, -1, gain != 0).reshape(per_channel)
    if codes.dtype != np.int8 or graph.constants[w.input[2]].any() or turned.max() > 127:
        return False
    size = np.broadcast_to(scale, gain.shape) * np.where(gain == 0, 1, np.abs(gain))
    graph.constants[w.input[0]] = turned.astype(np.int8)
    graph.constants[w.input[1]] = size.astype(np.float32)
    graph.constants[w.input[2]] = np.zeros(gain.shape, np.int8)
    kept = [a for a in w.attribute if a.name != "axis"]
    del w.attribute[:]
    w.attribute.extend([*kept, helper.make_attribute("axis", 0)])
    return True


def clip_codes(graph: Graph) -> None:
    """Put an activation that only clips into the bounds of the codes behind it.

    Rounding never changes an order, so quantize(clip(x, a, b)) = clip(quantize(x), code(a), code(b)), code for code.
    """
    for node in [node for node in graph.nodes if node.op_type == "QuantizeLinear"]:
        clip = graph.sole_user(node.output[0])
        scale, zero = (graph.constants[name] for name in node.input[1:])
        while (bounds := _bounds(graph, graph.giver(node.input[0]))) is not None:
            before = graph.giver(node.input[0])
            if graph.sole_user(before.output[0]) is not node:
                break
            for name, bound, tighter in zip(clip.input[1:], bounds, (max, min), strict=True):
                tightest = tighter(int(graph.constants[name]), code(bound, scale, zero))
                graph.constants[name] = np.array(np.clip(tightest, 0, 255), np.uint8)
            node.input[0] = before.input[0]


def _bounds(graph: Graph, node: Any) -> tuple[float, float] | None:
    """The bounds of a Relu or Clip; None for another node, or bounds that are computed."""
    if node is None or node.op_type not in ("Relu", "Clip"):
        return None
    if node.op_type == "Relu":
        return 0.0, np.inf
    given = [*node.input[1:], "", ""][:2]
    if any(name and name not in graph.constants for name in given):
        return None
    low, high = (float(graph.constants[name]) if name else end for name, end in zip(given, (-np.inf, np.inf), strict=True))
    return low, high


def drop_full_clips(graph: Graph) -> None:
    """Remove a Clip of codes that allows all of uint8."""
    for node in [node for node in graph.nodes if node.op_type == "Clip"]:
        bounds = [graph.constants.get(name) for name in node.input[1:]]
        if all(b is not None and b.dtype == np.uint8 for b in bounds) and [int(b) for b in bounds if b is not None] == [0, 255]:
            graph.drop(node, node.input[0])
