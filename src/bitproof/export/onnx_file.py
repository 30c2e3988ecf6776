"""A network as an ONNX file: float, or low-bit with its integers and scales inside."""

from __future__ import annotations

from torch import Tensor, nn

from bitproof.core import MissingExtra, SpecError
from bitproof.export.exported import Exported
from bitproof.export.numbers import low_bit_layers, numbers

#: How a bias is added: as int32 inside a fused kernel, or in float behind the integer product.
BIASES = ("int32", "float")


def to_onnx(model: nn.Module, sample: Tensor, bias: str = "int32", fast: bool = False) -> Exported:
    """Write ``model``, float or low-bit, as ONNX (operator set 17); the given model is not changed.

    Weights are stored as the quantizer's own codes, int8; inputs pass QuantizeLinear (uint8 u = q − low), a Clip of the codes
    where they are fewer than 256, DequantizeLinear. A conv or linear layer whose output is quantized at once has the form that
    onnxruntime fuses to one integer kernel, its bias rounded to int32 at scale s_x·s_w; any other is written with MatMulInteger
    (linear layers, 1×1 convs) or ConvInteger and float scales behind, and so are all with ``bias="float"``, which rounds no bias.
    With ``fast`` a conv that would be a ConvInteger multiplies the same codes as floats, its weight in float32: a larger file, and
    a faster one.
    Batch norms behind a conv go into its scale and bias.
    Shapes: ``sample`` float N×3×S×S, its values do not matter; the file takes any N.
    Raises SpecError for another ``bias`` and for ``fast`` with a float one, ModelError where torch cannot write the network or a
    quantizer does more than scale, round and clip, MissingExtra without the package onnx.
    Source: the QDQ form of onnxruntime's documentation. Differs from it: a Clip of codes for fewer than 8 bits.
    """
    if bias not in BIASES:
        raise SpecError(f"bias={bias!r} is unknown: {' or '.join(BIASES)}.")
    if fast and bias == "float":
        raise SpecError("With bias='float' nothing is fused, so that fast=True would leave no integers. Leave one of the two out.")
    try:
        from bitproof.export.graph import Graph
        from bitproof.export.products import to_integers
        from bitproof.export.rewrite import neared
        from bitproof.export.tracing import trace
    except ImportError:
        raise MissingExtra("onnx", "onnx", "Export to ONNX") from None
    layers = low_bit_layers(model)
    found = {name: numbers(name, layer) for name, layer in layers.items()}
    graph = Graph(trace(model, sample))
    codes = neared(graph, found)
    told = to_integers(graph, layers, fuse=bias == "int32", fast=fast)
    return Exported(graph.model().SerializeToString(), tuple(told), codes)
