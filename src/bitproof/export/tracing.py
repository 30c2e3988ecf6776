"""A network → its ONNX graph, in which the two quantizers of a low-bit layer are one node each that names the layer."""

from __future__ import annotations

import copy
import io
import warnings
from functools import partial
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from bitproof.core import ModelError
from bitproof.export.exported import LOGITS, PICTURES
from bitproof.export.numbers import low_bit_layers

#: The operator set: scales per channel need 13, LayerNormalization 17.
OPSET = 17

#: The domain of the two stand-ins; no node of it is left in a finished graph.
DOMAIN = "bitproof"


class _Mark(Function):
    """Stands where a layer's ``Input`` is quantized, or its quantized ``Weight`` is read."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, what: str, layer: str) -> Tensor:
        return x.clone()

    @staticmethod
    def symbolic(g: Any, x: Any, what: str, layer: str) -> Any:
        return g.op(f"{DOMAIN}::{what}", x, layer_s=layer).setType(x.type())


def trace(model: nn.Module, sample: Tensor) -> Any:
    """Return the ONNX model of ``model`` in evaluation mode, its batch axis free; the given model is not changed.

    ``sample``: float N×3×S×S. Raises ModelError where torch cannot write the network.
    """
    traced = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    for name, layer in low_bit_layers(traced).items():
        inner, w = layer.layer, layer.layer.get_parameter("weight")
        del inner.weight  # so that ``_forward`` can set a tensor in its place
        layer.forward = partial(_forward, inner, w, name)  # type: ignore[method-assign]
    for pool in [module for module in traced.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]:
        pool.forward = partial(_pooled, pool.output_size)  # type: ignore[method-assign]
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the tracer's: shapes that it takes for constants are tried with another batch
            _write(traced, sample, file)
    except Exception as error:  # whatever torch raises about somebody's module
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"torch cannot write {type(model).__name__} as ONNX: {type(error).__name__}: {reason}") from error
    return onnx.load_from_string(file.getvalue())


def _forward(inner: Any, w: Tensor, name: str, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Run a layer as ``QuantLayer`` does, with the stand-ins in the place of its quantizers."""
    inner.weight = _Mark.apply(w, "Weight", name)
    return inner(_Mark.apply(x, "Input", name), *args, **kwargs)


def _pooled(size: Any, x: Tensor) -> Tensor:
    """Average over uneven cells as two products with constant matrices, for which torch writes no ONNX: N×C×H×W → N×C×h×w."""
    given = [int(n) for n in x.shape[-2:]]
    asked = size if isinstance(size, tuple) else (size, size)
    wanted = [n if w is None else int(w) for n, w in zip(given, asked, strict=True)]
    if all(n % w == 0 for n, w in zip(given, wanted, strict=True)):
        return F.adaptive_avg_pool2d(x, size)
    rows, columns = (F.adaptive_avg_pool1d(torch.eye(n)[None], w)[0] for n, w in zip(given, wanted, strict=True))
    return rows.T @ (x @ columns)


def _write(model: nn.Module, sample: Tensor, file: Any) -> None:
    torch.onnx.export(
        model,
        (sample,),
        file,
        input_names=[PICTURES],
        output_names=[LOGITS],
        dynamic_axes={PICTURES: {0: "n"}, LOGITS: {0: "n"}},
        opset_version=OPSET,
        custom_opsets={DOMAIN: 1} if low_bit_layers(model) else None,
        dynamo=False,
    )
