"""Each product of a layer's codes in the form that onnxruntime multiplies as integers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bitproof.export.exported import ExportedLayer
from bitproof.export.graph import Array, Graph
from bitproof.export.rewrite import PRODUCTS, attributes, dequantizer

#: What becomes of a product whose output is quantized at once, and of any other.
FUSED = {"Conv": "QLinearConv", "Gemm": "QGemm"}
OPEN = {"Conv": "ConvInteger", "Gemm": "MatMulInteger", "MatMul": "MatMulInteger"}

#: The largest bias in accumulator units: as much is left for the sum of the products.
_BIAS = 2.0**30


def to_integers(graph: Graph, layers: Iterable[str], fuse: bool = True, fast: bool = False) -> list[ExportedLayer]:
    """Bring the products of ``layers`` into integer form, in place, and tell of each.

    A product whose output only a QuantizeLinear reads stays as it is, with its bias as int32: onnxruntime makes it one
    kernel, codes in, codes out (QLinearConv, QGemm). Any other becomes ConvInteger or MatMulInteger, U8S8 into int32, then
    y = accumulator·(s_x·s_w) + bias in float: its output is float in the simulation too. Without ``fuse`` all become that.
    With ``fast`` none does: what is not fused multiplies the same codes as floats, for which onnxruntime has quicker kernels.
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
    if node.op_type not in PRODUCTS:
        return "", f"onnxruntime has no integer kernel for {node.op_type}"
    x, w = (dequantizer(graph, name) for name in node.input[:2])
    if x is None or w is None:
        return "", f"{graph.giver(node.input[0]).op_type} stands between its codes and the product"
    if not all(name in graph.constants for name in node.input[2:]):
        return "", "its bias is computed"
    user = graph.sole_user(node.output[0])
    quantized = node.op_type in FUSED and user is not None and user.op_type == "QuantizeLinear"
    if fuse and quantized and _integer_bias(graph, node, x, w):
        return FUSED[node.op_type], ""
    if fast:
        node.input[1] = graph.constant(f"{w.output[0]}.float", _dequantized(graph, w))
        return "", "its output is float, and float products are quicker than integer ones without a fused kernel"
    _open(graph, node, x, w)
    return OPEN[node.op_type], ""


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


def _open(graph: Graph, node: Any, x: Any, w: Any) -> None:
    """Write node = cast(integer product)·(s_x·s_w) + bias."""
    conv, base = node.op_type == "Conv", node.output[0]
    inputs = [x.input[0], w.input[0], x.input[2]]
    if graph.constants[w.input[2]].any():
        inputs.append(w.input[2])
    kept = attributes(node) if conv else {}
    graph.put(node, OPEN[node.op_type], inputs, f"{base}.int32", **kept)
    graph.put(node, "Cast", [f"{base}.int32"], f"{base}.accumulated", to=1)
    rank = graph.constants[w.input[0]].ndim
    last = f"{base}.scaled"
    graph.put(node, "Mul", [f"{base}.accumulated", _along(graph, f"{base}.scale", _product_scale(graph, x, w), rank, conv)], last)
    if len(node.input) > 2:
        bias = _along(graph, f"{base}.shift", graph.constants[node.input[2]], rank, conv)
        graph.put(node, "Add", [last, bias], f"{base}.shifted")
        last = f"{base}.shifted"
    graph.drop(node, last)


def _along(graph: Graph, name: str, value: Array, rank: int, conv: bool) -> str:
    """Keep ``value`` in a shape that broadcasts along the channels of a conv's output, or along the last axis."""
    shaped = value.reshape(-1, *[1] * (rank - 2)) if conv and value.ndim else value
    return graph.constant(name, shaped.astype(np.float32))
