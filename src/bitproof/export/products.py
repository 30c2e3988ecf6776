"""Each product of a layer's codes in the form that onnxruntime multiplies as integers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bitproof.export.exported import ExportedLayer
from bitproof.export.graph import Array, Graph
from bitproof.export.rewrite import PRODUCTS, attributes, dequantizer

#: What becomes of a product whose output is quantized at once.
FUSED = {"Conv": "QLinearConv", "Gemm": "QGemm"}

#: The largest bias in accumulator units: as much is left for the sum of the products.
_BIAS = 2.0**30


def to_integers(graph: Graph, layers: Iterable[str], fuse: bool = True, fast: bool = False) -> list[ExportedLayer]:
    """Bring the products of ``layers`` into integer form, in place, and tell of each.

    A product whose output only a QuantizeLinear reads stays as it is, with its bias as int32: onnxruntime makes it one
    kernel, codes in, codes out (QLinearConv, QGemm). Any other becomes MatMulInteger (linear layers; convs of one pixel, with the
    channels last) or ConvInteger, U8S8 into int32, then y = accumulator·(s_x·s_w) + bias in float: its output is float in the
    simulation too. Without ``fuse`` all become that.
    With ``fast`` no ConvInteger is written: such a conv multiplies the same codes as floats, for which onnxruntime is quicker.
    """
    return [_layer(graph, name, fuse, fast) for name in layers]


def _layer(graph: Graph, name: str, fuse: bool, fast: bool) -> ExportedLayer:
    weights = {f"{name}.weight", f"{name}.weight.turned"}
    found = [node for node in graph.nodes if weights.intersection(node.input)]
    outcomes = [_product(graph, node, fuse, fast) for node in found]
    refused = next((reason for kernel, reason in outcomes if not kernel), "")
    if refused or not found:
        return ExportedLayer(name, "", refused or "nothing in the graph multiplies its weight")
    return ExportedLayer(name, ", ".join(dict.fromkeys(kernel for kernel, _ in outcomes)))


def _product(graph: Graph, node: Any, fuse: bool, fast: bool) -> tuple[str, str]:
    """Return the kernel and "", or "" and the reason why there is none."""
    x, w = (dequantizer(graph, name) for name in node.input[:2])
    if refused := _refusal(graph, node, x, w):
        return "", refused
    user = graph.sole_user(node.output[0])
    quantized = node.op_type in FUSED and user is not None and user.op_type == "QuantizeLinear"
    if fuse and quantized and _integer_bias(graph, node, x, w):
        return FUSED[node.op_type], ""
    if node.op_type != "Conv" or _of_one_pixel(graph, node, w):
        _matmul(graph, node, x, w)
        return "MatMulInteger", ""
    if fast:
        node.input[1] = graph.constant(f"{w.output[0]}.float", _dequantized(graph, w))
        return "", "its output is float, and onnxruntime convolves floats quicker than integers without a fused kernel"
    _conv(graph, node, x, w)
    return "ConvInteger", ""


def _refusal(graph: Graph, node: Any, x: Any, w: Any) -> str:
    """Why a product with the dequantized ``x`` and ``w`` cannot be one of integers, or nothing."""
    if node.op_type not in PRODUCTS:
        return f"onnxruntime has no integer kernel for {node.op_type}"
    if x is None or w is None:
        return f"{graph.giver(node.input[0]).op_type} stands between its codes and the product"
    return "" if all(name in graph.constants for name in node.input[2:]) else "its bias is computed"


def _of_one_pixel(graph: Graph, conv: Any, w: Any) -> bool:
    """Whether each output pixel is a product of one input pixel and the whole weight, and none is left out."""
    words, window = attributes(conv), graph.constants[w.input[0]].shape[2:]
    moved = any(words.get("pads", ())) or words.get("auto_pad", b"NOTSET") != b"NOTSET" or set(words.get("strides", (1,))) != {1}
    return set(window) == {1} and words.get("group", 1) == 1 and not moved


def _dequantized(graph: Graph, w: Any) -> Array:
    """Return (codes − zero point)·scale of a weight, float32."""
    codes, scale, zero = (graph.constants[name] for name in w.input)
    axis = next((a.i for a in w.attribute if a.name == "axis"), 1)
    shape = [1] * codes.ndim
    if scale.ndim:
        shape[axis] = -1
    numbers: Array = (codes.astype(np.float32) - zero.astype(np.float32).reshape(shape)) * scale.reshape(shape)
    return numbers.astype(np.float32)


def _product_scale(graph: Graph, x: Any, w: Any) -> Array:
    s: Array = graph.constants[x.input[1]] * graph.constants[w.input[1]]
    return s


def _integer_bias(graph: Graph, node: Any, x: Any, w: Any) -> bool:
    """Replace a float bias by round(bias / (s_x·s_w)) as int32; False where that does not fit."""
    if len(node.input) < 3:
        return True
    bias = graph.constants[node.input[2]].astype(np.float64)
    if not _room_for(graph, node, w, np.abs(bias / _product_scale(graph, x, w)) / _BIAS):
        return False
    s, base = _product_scale(graph, x, w), f"{node.output[0]}.bias"
    names = [graph.constant(f"{base}_codes", np.rint(bias / s).astype(np.int32)), graph.constant(f"{base}_scale", s)]
    names.append(graph.constant(f"{base}_zero_point", np.zeros(s.shape, np.int32)))
    graph.put(node, "DequantizeLinear", names, base, axis=0)
    node.input[2] = base
    return True


def _room_for(graph: Graph, node: Any, w: Any, excess: Array) -> bool:
    """Give channels whose bias does not fit a coarser weight scale; False where they have none of their own.

    Such a channel's weights are so small beside its bias (dead channels of trained networks) that rounding them anew moves
    the output by less than 1e-3 of the bias.
    """
    if (excess <= 1).all():
        return True
    codes, scale = (graph.constants[name] for name in w.input[:2])
    if scale.ndim == 0 or node.op_type != "Conv" or graph.sole_user(w.output[0]) is not node:
        return False
    factor = np.maximum(excess, 1)
    graph.constants[w.input[0]] = np.rint(codes / factor.reshape(-1, *[1] * (codes.ndim - 1))).astype(codes.dtype)
    graph.constants[w.input[1]] = (scale * factor).astype(np.float32)
    return True


def _conv(graph: Graph, node: Any, x: Any, w: Any) -> None:
    """Write node = cast(ConvInteger)·(s_x·s_w) + bias."""
    axes = graph.constants[w.input[0]].ndim - 2
    graph.put(node, "ConvInteger", _codes(graph, x, w), f"{node.output[0]}.int32", **attributes(node))
    graph.drop(node, _scaled(graph, node, x, w, axes))


def _matmul(graph: Graph, node: Any, x: Any, w: Any) -> None:
    """Write node = cast(MatMulInteger)·(s_x·s_w) + bias; a conv's channels are put last before it, and back behind it."""
    base, inputs = node.output[0], _codes(graph, x, w)
    if node.op_type != "Conv":
        graph.put(node, "MatMulInteger", inputs, f"{base}.int32")
        graph.drop(node, _scaled(graph, node, x, w))
        return
    codes = graph.constants[inputs[1]]
    last = [0, *range(2, codes.ndim), 1]
    inputs[0] = graph.put(node, "Transpose", inputs[:1], f"{base}.channels_last", perm=last).output[0]
    inputs[1] = graph.constant(f"{inputs[1]}.turned", np.ascontiguousarray(codes.reshape(codes.shape[:2]).T))
    graph.put(node, "MatMulInteger", inputs, f"{base}.int32")
    scaled = _scaled(graph, node, x, w)
    graph.put(node, "Transpose", [scaled], f"{base}.channels_first", perm=[last.index(axis) for axis in range(codes.ndim)])
    graph.drop(node, f"{base}.channels_first")


def _codes(graph: Graph, x: Any, w: Any) -> list[str]:
    """The inputs of an integer product: codes, and the zero points that are not 0."""
    return [x.input[0], w.input[0], x.input[2], *([w.input[2]] if graph.constants[w.input[2]].any() else [])]


def _scaled(graph: Graph, node: Any, x: Any, w: Any, axes: int = 0) -> str:
    """Write cast(…)·(s_x·s_w) + bias behind an integer product whose channels have ``axes`` axes behind them; return its name."""
    base = node.output[0]
    scale = graph.constant(f"{base}.scale", _along(_product_scale(graph, x, w), axes))
    graph.put(node, "Cast", [f"{base}.int32"], f"{base}.accumulated", to=1)
    graph.put(node, "Mul", [f"{base}.accumulated", scale], f"{base}.scaled")
    if len(node.input) < 3:
        return f"{base}.scaled"
    bias = graph.constant(f"{base}.shift", _along(graph.constants[node.input[2]], axes))
    graph.put(node, "Add", [f"{base}.scaled", bias], f"{base}.shifted")
    return f"{base}.shifted"


def _along(value: Array, axes: int) -> Array:
    """Return ``value`` in a shape that broadcasts along channels with ``axes`` axes behind them."""
    shaped: Array = value.reshape(-1, *[1] * axes) if value.ndim else value
    return shaped.astype(np.float32)
