"""Products: of signs, of attention, and the small float ones of first and last layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitproof.export.emit.moves import bordered
from bitproof.export.emit.values import dense, usable
from bitproof.export.layout import axes, channels_last
from bitproof.export.packed_attention import ATTENTION
from bitproof.export.planning import Bits, Emitter, Planner
from bitproof.export.product import PRODUCT, Product
from bitproof.kernels import Affine

#: Float products of more multiplications than this are torch's: its blocking pays there, its call costs nothing beside them.
MOST_MACS = 4_000_000


def _product(p: Planner, x: Any, name: str) -> Any:
    product: Product = p.program.products[name]
    found, window = product.signs, product.signs.window
    bits = x if isinstance(x, Bits) else _packed(p, x, product)
    if bits is None:
        return None
    o, (n, *size) = found.weight.shape[0], bits.size
    h, w = (
        (size[i] + 2 * window.padding[i] - window.dilation[i] * (found.weight.shape[2 + i] - 1) - 1) // window.stride[i] + 1
        for i in (0, 1)
    )
    if min(h, w) < 1 or bits.channels != found.weight.channels:
        return None
    steps: dict[str, Any] = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "pad": window.pad}
    shape = (n, o, h, w)
    y = p.new([n * h * w * _words(o)]) if product.cut else p.new(shape, channels_last(shape))
    then = product.cut or Affine(found.scale, found.bias)
    p.native.conv(p.place(bits.words), bits.size, found.weight, then, p.place(y), **steps)
    if bits is not x:
        p.release(bits.words)
    return Bits(y, (n, h, w), o) if product.cut else y


def _packed(p: Planner, x: Any, product: Product) -> Bits | None:
    if not usable(x) or x.ndim != 4:
        return None
    n, c, h, w = x.shape
    words = p.new([n * h * w * _words(c)])
    at = product.signs.threshold
    last, first = x.permute(0, 2, 3, 1).is_contiguous(), x.is_contiguous()
    y = x if last or first else p.copy(x, p.new(x.shape, channels_last(x.shape)))
    shape = (n, c, h * w) if first and not last else (n * h * w, c, 1)
    p.native.pack(p.place(y), shape, at if at.any() else None, p.place(words))
    if y is not x:
        p.release(y)
    return Bits(words, (n, h, w), c)


def _words(channels: int) -> int:
    """Values of four bytes that hold the signs of one position."""
    return 2 * -(-channels // 64)


def _attention(p: Planner, q: Any, k: Any, v: Any, keep: Any, least: int, scale: float) -> Tensor | None:
    if not usable(q, k, v) or any(x.ndim != 4 or x.stride(-1) != 1 for x in (q, k, v)):
        return None
    if k.shape != v.shape or q.shape[:2] != k.shape[:2] or q.shape[-1] != k.shape[-1]:
        return None
    mask = None
    if keep is not None:
        if keep.dtype != torch.bool or keep.storage_offset():
            return None
        wide = keep.expand(*q.shape[:3], k.shape[2])
        mask = p.place(keep), wide.stride()
    n, h, t, d = q.shape
    y = p.new((n, t, h, d))
    sizes = (n, h, t, k.shape[2], d)
    p.native.attend([p.place(x) for x in (q, k, v)], [x.stride()[:3] for x in (q, k, v)], mask, sizes, least, scale, p.place(y))
    return y.transpose(1, 2)


def _conv2d(
    p: Planner, x: Any, w: Any, b: Any = None, stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1), groups: int = 1
) -> Tensor | None:
    if groups != 1 or not usable(x, w) or not p.is_constant(w) or x.ndim != 4 or x.shape[1] != w.shape[1]:
        return None
    (o, c, kh, kw), n = w.shape, len(x)
    stride, padding, dilation = ((value * 2)[:2] for value in map(list, (stride, padding, dilation)))
    h, v = ((x.shape[2 + i] + 2 * padding[i] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in (0, 1))
    if min(h, v) < 1 or n * h * v * w.numel() > MOST_MACS:
        return None
    source = bordered(p, x, padding) if any(padding) else x
    sn, sc, sh, sw = source.stride()
    rows, columns = np.arange(kh) * dilation[0] * sh, np.arange(kw) * dilation[1] * sw
    offsets = (rows[:, None, None] + columns[:, None] + np.arange(c) * sc).reshape(-1)
    sizes, steps = ((n, h, v), (sn, sh * stride[0], sw * stride[1])) if h * v > 1 else ((1, 1, n), (0, 0, sn))
    y = p.new((n, o, h, v), channels_last((n, o, h, v)))
    _dense(p, source, w.permute(2, 3, 1, 0).reshape(-1, o), b, offsets, sizes, steps, y)
    if source is not x:
        p.release(source)
    return y


def _linear(p: Planner, x: Any, w: Any, b: Any = None) -> Tensor | None:
    if not usable(x, w) or not p.is_constant(w) or x.numel() * len(w) > MOST_MACS:
        return None
    source = dense(p, x)
    if [i for i in range(x.ndim) if x.shape[i] > 1] != axes(source):  # rows do not follow one another
        source = p.copy(x, p.new(x.shape))
    k, rows = x.shape[-1], x.numel() // x.shape[-1]
    y = p.new((*x.shape[:-1], len(w)))
    _dense(p, source, w.t(), b, np.arange(k), (1, 1, rows), (0, 0, k), y)
    if source is not x:
        p.release(source)
    return y


def _dense(p: Planner, x: Tensor, w: Tensor, b: Any, offsets: Any, sizes: Any, steps: Any, y: Tensor) -> None:
    bias = np.zeros(w.shape[1], np.float32) if b is None else b.numpy()
    p.native.dense(p.place(x), np.ascontiguousarray(w.numpy()), bias, offsets, sizes, steps, p.place(y))


#: Name of torch's operation → emitter.
FLOAT_PRODUCTS: Mapping[str, Emitter] = {"conv2d.default": _conv2d, "linear.default": _linear}

#: Name of bitproof's own operation → emitter.
SIGN_PRODUCTS: Mapping[str, Emitter] = {PRODUCT: _product, ATTENTION: _attention}
