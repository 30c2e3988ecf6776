"""What a quantized layer's two quantizers say of themselves, as the integers and scales that an ONNX file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitproof.convert import QuantLayer
from bitproof.core import Info, ModelError
from bitproof.quantizers import Quantizer

Array = NDArray[Any]


def code(value: float, scale: Array, zero: Array) -> int:
    """The code of a value before bounds apply, clip(round(value / scale) + zero, −1, 256), half to even, in float32."""
    return int(np.clip(np.rint(np.float32(value) / scale) + np.float32(zero), -1, 256))


@dataclass(frozen=True)
class Activation:
    """An input's codes as uint8 u = q − low, so that every product is U8S8: x_hat = (u − zero)·scale, 0 ≤ u ≤ top."""

    scale: Array
    zero: Array
    top: int
    low: int


@dataclass(frozen=True)
class Weight:
    """A weight's codes, int8, or uint8 where they go above 127: w_hat = (codes − zero)·scale; the scale is () or along ``axis``."""

    codes: Array
    scale: Array
    zero: Array
    axis: int


@dataclass(frozen=True)
class Numbers:
    """The numbers of one layer."""

    x: Activation
    w: Weight


def low_bit_layers(model: nn.Module) -> dict[str, QuantLayer]:
    """Return the quantized layers by their path in ``model``; one that is all of it is called ``model``."""
    return {name or "model": module for name, module in model.named_modules() if isinstance(module, QuantLayer)}


def numbers(name: str, layer: QuantLayer) -> Numbers:
    """Read the numbers of ``layer`` from ``info()`` and ``codes``.

    Raises ModelError for quantizers that ONNX cannot say: several scales of an input, codes of several planes or beyond 8 bits,
    and an input that is not simply scaled, rounded and clipped.
    """
    if layer.input_quantizer is None or layer.weight_quantizer is None or layer.gain is not None:
        found = "is float" if layer.gain is None else "is multiplied by a further factor"
        raise ModelError(f"Layer {name!r}: a side of it {found}; an ONNX file of integers needs codes on both and no more.")
    quantizer, info = layer.input_quantizer, layer.input_quantizer.info()
    if info.levels > 256 or info.scale.numel() > 1:
        found = f"{info.levels} codes and {info.scale.numel()} scales"
        raise ModelError(f"Layer {name!r}: its input has {found}; ONNX takes up to 256 and one.")
    check_affine(name, quantizer, info)
    x = Activation(_float(info.scale).reshape(()), np.array(int(info.zero_point) - info.low, np.uint8), info.levels - 1, info.low)
    return Numbers(x, _weight(name, layer.weight_quantizer, layer.layer.get_parameter("weight").detach()))


def _weight(name: str, quantizer: Quantizer, w: Tensor) -> Weight:
    codes, info = quantizer.codes(w), quantizer.info()
    if not isinstance(codes, Tensor) or info.levels > 256 or not -128 <= info.low <= info.high <= 255:
        raise ModelError(f"Layer {name!r}: its weight's codes are no 8-bit integers; ONNX takes one of at most 256 codes a weight.")
    if not torch.equal(quantizer.dequantize(codes), quantizer(w)):
        raise ModelError(f"Layer {name!r}: its weight is not (codes − zero point)·scale, which is all that ONNX can say.")
    kind = np.int8 if info.high <= 127 else np.uint8
    along = [d - info.scale.ndim for d, size in enumerate(info.scale.shape) if size > 1]
    if len(along) > 1:
        raise ModelError(f"Layer {name!r}: its weight has scales along {len(along)} axes; ONNX takes one.")
    scale = _float(info.scale)
    scale = scale.reshape(-1) if along else scale.reshape(())
    zero = np.broadcast_to(_integer(info.zero_point).reshape(-1 if along and info.zero_point.numel() > 1 else ()), scale.shape)
    return Weight(_integer(codes).astype(kind), scale, zero.astype(kind), w.ndim + along[0] if along else 0)


def check_affine(name: str, quantizer: Any, info: Info) -> None:
    """Raise ModelError unless codes(x) = clip(round(x / scale) + zero point) on a ramp over the range and beyond it."""
    steps = torch.linspace(info.low - 8, info.high + 8, 1021, device=info.scale.device) - info.zero_point
    x = steps * info.scale.reshape(())
    codes = quantizer.codes(x)
    expected = (x / info.scale.reshape(())).round().add(info.zero_point).clamp(info.low, info.high)
    if not isinstance(codes, Tensor) or not torch.equal(codes.to(expected.dtype), expected):
        raise ModelError(
            f"Layer {name!r}: the quantizer of its input does more than scale, round and clip, which is all that ONNX can say."
        )


def _float(value: Tensor) -> Array:
    return value.detach().cpu().float().numpy()


def _integer(value: Tensor) -> Array:
    return value.detach().cpu().numpy()
