"""A low-bit network as QONNX: a float ONNX graph in which each quantizer is one node, at any number of bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitproof.convert import QuantLayer
from bitproof.core import Info, MissingExtra, ModelError
from bitproof.export.exported import LOGITS, PICTURES
from bitproof.export.numbers import check_affine, low_bit_layers
from bitproof.quantizers import Quantizer

Array = NDArray[Any]

#: The domain of QONNX' nodes.
DOMAIN = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Qonnx:
    """A QONNX file, and how many nodes of each kind it quantizes with: ``Quant, 4 bits`` → 20."""

    graph: bytes = field(repr=False)
    nodes: dict[str, int]


def to_qonnx(model: nn.Module, sample: Tensor) -> Qonnx:
    """Write ``model`` as QONNX, for one sample at a time, which is what its readers (FINN, hls4ml) take; it is not changed.

    Quant: x_hat = s·(round(clip(x / s + z, low, high)) − z) with bits, sign and narrow range of the quantizer's own codes. A sign
    is BipolarQuant: x_hat = s where x ≥ 0, else −s, behind a subtraction where its threshold is not 0, and before an addition
    where its codes are 0 and 1. Weights are stored as they are after quantization, which their node leaves as they are. Weights of
    codes with gaps (DoReFa's −3, −1, 1, 3) have the bits that hold all codes between.
    Raises ModelError where torch cannot write the network, or a quantizer does more than that. MissingExtra without onnx.
    Source: the operators' text in https://github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops. Differs from it: z is added
    before the rounding here and behind it in the simulation, which moves codes at exact ties where z is odd.
    """
    try:
        from bitproof.export.graph import Graph
        from bitproof.export.tracing import DOMAIN as MARKS
        from bitproof.export.tracing import trace
    except ImportError:
        raise MissingExtra("onnx", "onnx", "Export to QONNX") from None
    layers = low_bit_layers(model)
    graph = Graph(trace(model, sample))
    nodes: dict[str, int] = {}
    for mark in [node for node in graph.nodes if node.domain == MARKS]:
        name = mark.attribute[0].s.decode()
        kind = (_weight if mark.op_type == "Weight" else _input)(graph, mark, name, layers[name])
        if kind:
            nodes[kind] = nodes.get(kind, 0) + 1
    return Qonnx(_single(graph.model()).SerializeToString(), nodes)


def _input(graph: Any, mark: Any, name: str, layer: QuantLayer) -> str:
    """Put the node of a layer's input in the place of ``mark``; return what it is, "" for a float one."""
    if layer.gain is not None:
        raise ModelError(f"Layer {name!r}: its output is multiplied by a further factor, for which QONNX has no node.")
    quantizer = layer.input_quantizer
    if quantizer is None:
        graph.drop(mark, mark.input[0])
        return ""
    info = quantizer.info()
    if info.planes:
        raise ModelError(f"Layer {name!r}: its input is a sum of planes, for which QONNX has no node.")
    if info.threshold is not None:
        return _sign(graph, mark, f"{name}.input", info)
    if info.scale.numel() > 1:
        raise ModelError(f"Layer {name!r}: its input has {info.scale.numel()} scales; one is written.")
    check_affine(name, quantizer, info)
    width = _width(info, exact=True)
    if width is None:
        raise ModelError(f"Layer {name!r}: codes from {info.low} to {info.high} are no range that QONNX has.")
    return _quant(graph, mark, f"{name}.input", mark.input[0], info, width)


def _weight(graph: Any, mark: Any, name: str, layer: QuantLayer) -> str:
    """The same of a layer's weight."""
    quantizer = layer.weight_quantizer
    if quantizer is None or layer.float_weight:
        graph.drop(mark, mark.input[0])
        return ""
    codes, info = _told(name, quantizer, layer.layer.get_parameter("weight").detach())
    w = graph.constant(f"{name}.quantized", _float(quantizer.dequantize(codes)))
    if (info.low, info.high, info.spacing) == (-1, 1, 2) and not info.zero_point.any():
        return _bipolar(graph, mark, f"{name}.weight", w, _float(info.scale))
    width = _width(info, exact=False)
    if width is None:
        raise ModelError(f"Layer {name!r}: codes from {info.low} to {info.high} are beyond 32 bits.")
    return _quant(graph, mark, f"{name}.weight", w, info, width)


def _told(name: str, quantizer: Quantizer, w: Tensor) -> tuple[Tensor, Info]:
    codes = quantizer.codes(w)
    info = quantizer.info()  # behind the codes: it tells the scale of the weight seen last
    if not isinstance(codes, Tensor) or not torch.equal((codes - info.zero_point) * info.scale, quantizer(w)):
        raise ModelError(f"Layer {name!r}: its weight is not (codes − zero point)·scale, which is all that QONNX can say.")
    return codes, info


def _quant(graph: Any, mark: Any, name: str, x: str, info: Info, width: tuple[int, bool, bool]) -> str:
    bits, signed, narrow = width
    numbers = {"scale": _float(info.scale), "zero": _float(info.zero_point), "bits": np.array(bits, np.float32)}
    inputs = [x, *(graph.constant(f"{name}.{key}", value) for key, value in numbers.items())]
    settings = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": "ROUND", "domain": DOMAIN}
    _instead(graph, mark, graph.put(mark, "Quant", inputs, f"{name}.quant", **settings))
    return f"Quant, {bits} bits"


def _bipolar(graph: Any, mark: Any, name: str, x: str, scale: Array) -> str:
    put = graph.put(mark, "BipolarQuant", [x, graph.constant(f"{name}.scale", scale)], f"{name}.quant", domain=DOMAIN)
    _instead(graph, mark, put)
    return "BipolarQuant"


def _sign(graph: Any, mark: Any, name: str, info: Info) -> str:
    """−s or s on the two sides of the threshold; where the codes are 0 and 1, 0 or s: half of it, and half of it more."""
    x, threshold, scale = mark.input[0], _float(info.threshold), _float(info.scale)
    if threshold.any():
        x = graph.put(mark, "Sub", [x, graph.constant(f"{name}.threshold", threshold)], f"{name}.shifted").output[0]
    if info.low == -1:
        return _bipolar(graph, mark, name, x, scale)
    half = graph.constant(f"{name}.half", scale / 2)
    bipolar = graph.put(mark, "BipolarQuant", [x, half], f"{name}.quant", domain=DOMAIN)
    _instead(graph, mark, graph.put(mark, "Add", [bipolar.output[0], half], f"{name}.bit"))
    return "BipolarQuant"


def _instead(graph: Any, mark: Any, node: Any) -> None:
    graph.drop(mark, node.output[0])


def _width(info: Info, exact: bool) -> tuple[int, bool, bool] | None:
    """Return bits, sign and narrow range of the smallest range that holds the codes, or that has just these bounds."""
    for bits in range(1, 33):
        for narrow in (False, True):
            low, high = bounds(bits, info.low < 0, narrow)
            if (low, high) == (info.low, info.high) or (not exact and low <= info.low and info.high <= high):
                return bits, info.low < 0, narrow
    return None


def bounds(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The codes of a Quant node: of −2^(b−1), …, 2^(b−1) − 1 or 0, …, 2^b − 1, a narrow range lacks the lowest, or the highest."""
    if signed:
        return narrow - 2 ** (bits - 1), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def _single(model: Any) -> Any:
    """Set the batch axis of a model's input and output to 1."""
    for value in (*model.graph.input, *model.graph.output):
        if value.name in (PICTURES, LOGITS):
            value.type.tensor_type.shape.dim[0].dim_value = 1
    return model


def written_out(graph: bytes) -> bytes:
    """Return a QONNX file with each of its own nodes written as plain ONNX, for any engine: Div, Add, Clip, Round, Sub, Mul."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph)
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    constants: dict[str, Array] = {}
    for node in model.graph.node:
        if node.domain != DOMAIN:
            nodes.append(node)
            continue
        steps = _quant_steps(node, known, constants) if node.op_type == "Quant" else _bipolar_steps(node, constants)
        names = [node.input[0], *(f"{node.output[0]}.{i}" for i in range(len(steps) - 1)), node.output[0]]
        for (op, *others), x, y in zip(steps, names, names[1:], strict=False):
            nodes.append(helper.make_node(op, [x, *others], [y]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    del model.graph.initializer[:]
    kept = {name: value for name, value in {**known, **constants}.items() if name in read}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in kept.items())
    plain: bytes = model.SerializeToString()
    return plain


def _quant_steps(node: Any, known: dict[str, Array], constants: dict[str, Array]) -> list[tuple[str, ...]]:
    told = {attribute.name: attribute.i for attribute in node.attribute}
    _, scale, zero, bits = node.input
    ends = bounds(int(known[bits]), bool(told["signed"]), bool(told["narrow"]))
    names = [f"{node.output[0]}.{end}" for end in ("low", "high")]
    constants.update(zip(names, (np.array(end, np.float32) for end in ends), strict=True))
    return [("Div", scale), ("Add", zero), ("Clip", *names), ("Round",), ("Sub", zero), ("Mul", scale)]


def _bipolar_steps(node: Any, constants: dict[str, Array]) -> list[tuple[str, ...]]:
    """sign(x) with sign(0) = +1: 1 where x is at least 0, twice that, less 1."""
    names = [f"{node.output[0]}.{word}" for word in ("none", "two", "one")]
    constants.update(zip(names, (np.array(value, np.float32) for value in (0, 2, 1)), strict=True))
    none, two, one = names
    return [("GreaterOrEqual", none), ("CastLike", one), ("Mul", two), ("Sub", one), ("Mul", node.input[1])]


def _float(value: Tensor) -> Array:
    return value.detach().cpu().float().numpy()
