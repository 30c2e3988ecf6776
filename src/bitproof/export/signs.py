"""A 1-bit layer as its two quantizers tell it: signs, a scale and a bias an output, thresholds of the input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitproof.convert import QuantLayer
from bitproof.core import Info, ModelError
from bitproof.kernels import PackedWeight, pack_weight

Floats = NDArray[np.float32]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Where a convolution looks. ``pad``: the sign that its ``padding`` positions hold, −1, +1, or 0, which adds nothing."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    pad: int = 0


@dataclass(frozen=True, eq=False)
class Signs:
    """y = scale·Σ sign(x − threshold)·w + bias, sign(0) = +1; a linear layer has a kernel of 1×1.

    ``scale`` and ``bias``: float32 ``[o]``; ``threshold``: float32, 1 value or one an input channel.
    """

    weight: PackedWeight
    scale: Floats
    bias: Floats
    threshold: Floats
    window: Window

    @property
    def size_bytes(self) -> int:
        """Bytes of the signs, eight to a byte, and of the float numbers beside them."""
        return -(-self.weight.terms * self.weight.shape[0] // 8) + self.scale.nbytes + self.bias.nbytes + self.threshold.nbytes


def signs(layer: QuantLayer) -> tuple[Signs, ...]:
    """Read ``layer`` by ``info()`` and ``codes``: y = Σ over the planes of its input s_w·s_x·Σ q_w·q_x, + bias with the first one.

    Most inputs have one plane; a further one's threshold is on what the ones before it leave, in whose scale of 1 that is counted.
    Where an input's codes are 0 and 1, q_x = (b + 1)/2 with b in {−1, +1}: y = ½·s·Σ q_w·b + (bias + ½·s·Σ q_w), the border −1.
    Raises ModelError with the reason alone, where the layer is no product of signs.
    """
    planes = [_checked(layer, info) for info in _planes(layer)]
    if any(info.low != -1 or s != 1 for info, s in planes[:-1]):
        raise ModelError("its input is a sum of planes of which one before the last has other codes than −1 and +1")
    first = _plane(layer, *planes[0])
    return (first, *(replace(_plane(layer, *plane), bias=np.zeros_like(first.bias)) for plane in planes[1:]))


def _plane(layer: QuantLayer, x: Info, s_x: float) -> Signs:
    plain: Any = layer.layer
    q, s_w = _weight(layer)
    window = _window(plain, -1 if x.low == 0 else 0)
    bias = np.zeros(len(q)) if plain.bias is None else _numpy(plain.bias).astype(np.float64)
    scale = np.broadcast_to(s_w.astype(np.float64) * s_x, bias.shape)
    if x.low == 0:
        scale = scale / 2
        bias = bias + scale * q.reshape(len(q), -1).sum(axis=1)
    weight = pack_weight(q, getattr(plain, "groups", 1))
    return Signs(weight, scale.astype(np.float32), bias.astype(np.float32), _numpy(x.threshold).reshape(-1), window)


def _planes(layer: QuantLayer) -> tuple[Info, ...]:
    """Return the numbers of each plane of the layer's input."""
    if layer.input_quantizer is None:
        raise ModelError("its input is float")
    info = layer.input_quantizer.info()
    return info.planes or (info,)


def _checked(layer: QuantLayer, info: Info) -> tuple[Info, float]:
    """Return the numbers of a plane, whose codes are −1 and 1 or 0 and 1, and its scale."""
    if info.threshold is None or (info.low, info.high, info.levels) not in ((-1, 1, 2), (0, 1, 2)):
        raise ModelError(f"its input has {info.levels} codes from {info.low} to {info.high} and no sign")
    if info.scale.numel() > 1 or bool(info.zero_point.any()):
        raise ModelError("its input has several scales or a zero point")
    if layer.gain is not None:
        extra = "its output is multiplied by a further factor in float, beside the scales of input and weight"
        raise ModelError(f"{extra}; where the method allows it, leave that out: xnor:w1a1,k=false or xnorpp:w1a1,spatial=false")
    return info, float(info.scale)


def _weight(layer: QuantLayer) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Return the signs ``[o, k]`` or ``[o, c / groups, kh, kw]`` of the layer's weight and its scale, 1 value or o."""
    quantizer = layer.weight_quantizer
    if quantizer is None or layer.float_weight:
        raise ModelError("its weight is float")
    w = layer.layer.get_parameter("weight").detach()
    codes, info = quantizer.codes(w), quantizer.info()  # codes first: info tells the scale of the weight seen last
    if not isinstance(codes, Tensor) or not bool((codes.abs() == 1).all()) or bool(info.zero_point.any()):
        raise ModelError("its weight has other codes than −1 and +1")
    if info.scale.numel() > 1 and info.scale.shape != (len(w), *[1] * (w.ndim - 1)):
        raise ModelError(f"its weight has scales of shape {tuple(info.scale.shape)}; there may be one, or one an output")
    return _numpy(codes).astype(np.int8), _numpy(info.scale).reshape(-1)


def _window(plain: Any, pad: int) -> Window:
    if plain._forward_hooks or plain._forward_pre_hooks:
        raise ModelError("hooks are attached to it")
    kind = type(plain)
    if kind.forward is nn.Linear.forward:
        return Window()
    if kind.forward is not nn.Conv2d.forward or kind._conv_forward is not nn.Conv2d._conv_forward:
        raise ModelError(f"it is a {kind.__name__}; convolutions over two axes and linear layers are packed")
    if plain.padding_mode != "zeros":  # put there as values, in front
        return Window(plain.stride, (0, 0), plain.dilation, pad)
    return Window(plain.stride, _padding(plain), plain.dilation, pad)


def _padding(plain: nn.Conv2d) -> Pair:
    left, right, top, bottom = plain._reversed_padding_repeated_twice
    if (left, top) != (right, bottom):
        raise ModelError(f"it pads unevenly: {top} above, {bottom} below, {left} left, {right} right")
    return top, left


def border(plain: Any) -> tuple[tuple[int, ...], str]:
    """Return the positions and the way of a padding that copies values (reflect, …); () and "" where there is none."""
    mode = getattr(plain, "padding_mode", "zeros")
    return ((), "") if mode == "zeros" else (tuple(plain._reversed_padding_repeated_twice), mode)


def _numpy(value: Any) -> NDArray[Any]:
    return cast(Tensor, value).detach().cpu().to(torch.float32 if value.is_floating_point() else value.dtype).numpy()
