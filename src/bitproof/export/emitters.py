"""Which steps native code knows: each adds its instructions to a plan, and returns where its result will lie."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitproof.export.layout import axes, channels_last, is_dense, rows_of, same_layout
from bitproof.export.packed_attention import ATTENTION
from bitproof.export.planning import Bits, Planner
from bitproof.export.product import PRODUCT, Product
from bitproof.kernels import Affine

#: Float products of more multiplications than this are torch's: its blocking pays there, its call costs nothing beside them.
MOST_MACS = 4_000_000


def emitters() -> Mapping[str, Callable[..., Any]]:
    """Return name of an operation → emitter."""
    one = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "hardtanh": (-1.0, 1.0), "clamp": (None, None)}
    found: dict[str, Callable[..., Any]] = {f"{name}.default": functools.partial(_clip, ends) for name, ends in one.items()}
    for name in ("add", "sub", "mul", "div"):
        found |= {f"{name}.{kind}": functools.partial(_pair, name) for kind in ("Tensor", "Scalar")}
    for name in ("reshape.default", "flatten.using_ints"):
        found[name] = functools.partial(_reshaped, name)
    found |= {
        "prelu.default": _prelu,
        "leaky_relu.default": _leaky,
        "batch_norm.default": _norm,
        "conv2d.default": _conv2d,
        "linear.default": _linear,
        "layer_norm.default": _layer_norm,
        "gelu.default": _gelu,
        "adaptive_avg_pool2d.default": _pool,
        "mean.dim": _mean,
        "cat.default": _cat,
        "pad.default": _pad,
        "constant_pad_nd.default": _constant_pad,
    }
    return {PRODUCT: _product, ATTENTION: _attention, **{f"aten.{name}": emit for name, emit in found.items()}}


def usable(*values: Any) -> bool:
    """Say whether all are float32 tensors with something in them."""
    return all(isinstance(x, Tensor) and x.dtype == torch.float32 and x.numel() for x in values)


def dense(p: Planner, x: Tensor) -> Tensor:
    """Return ``x``, or a copy of it that is one run of memory."""
    return x if is_dense(x) else p.copy(x, p.new(x.shape))


# Products of signs.


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


# One value at a time.


def _map(p: Planner, name: str, x: Tensor, a: float, b: float = 0.0) -> Tensor:
    source = dense(p, x)
    y = p.new(source.shape, source.stride())
    p.native.map(name, p.place(source), y.numel(), a, b, p.place(y))
    if source is not x:
        p.release(source)
    return y


def _clip(ends: tuple[float | None, float | None], p: Planner, x: Any, low: Any = None, high: Any = None) -> Tensor | None:
    low, high = ends[0] if low is None else low, ends[1] if high is None else high
    return _map(p, "clip", x, -math.inf if low is None else low, math.inf if high is None else high) if usable(x) else None


def _leaky(p: Planner, x: Any, slope: float = 0.01) -> Tensor | None:
    return _map(p, "prelu", x, slope) if usable(x) else None


def _prelu(p: Planner, x: Any, slope: Tensor) -> Tensor | None:
    if not usable(x, slope):
        return None
    return _pair("prelu", p, x, slope if slope.numel() == 1 else slope.reshape(-1, *[1] * (x.ndim - 2)))


# Two values at a time.


def _pair(name: str, p: Planner, x: Any, z: Any, *, alpha: Any = 1) -> Tensor | None:
    if alpha != 1 or not usable(x):
        return None
    if isinstance(z, (int, float)):
        return _map(p, name, x, float(z))
    if not usable(z):
        return None
    if z.numel() > x.numel() and name in ("add", "mul"):
        x, z = z, x
    if not _fits(z, x):
        return None
    if z.numel() == 1 and p.is_constant(z):
        return _map(p, name, x, float(z))
    return _both(name, p, x, z)


def _fits(z: Tensor, x: Tensor) -> bool:
    """Say whether ``z`` broadcasts to the shape of ``x``."""
    ends = zip(reversed(z.shape), reversed(x.shape), strict=False)
    return z.ndim <= x.ndim and all(n in (1, m) for n, m in ends)


def _both(name: str, p: Planner, x: Tensor, z: Tensor) -> Tensor | None:
    whole = z.shape == x.shape
    layout = x if is_dense(x) else torch.empty(x.shape, device="meta")
    rows = (1, x.numel()) if whole else rows_of(layout, z) if is_dense(z) else None
    if rows is None:
        return None
    source = dense(p, x)
    other = z if not whole or same_layout(source, z) else p.copy(z, p.new(x.shape, source.stride()))
    y = p.new(x.shape, source.stride())
    p.native.pair(name, p.place(source), p.place(other), *rows, not whole, p.place(y))
    for mine, given in ((source, x), (other, z)):
        if mine is not given:
            p.release(mine)
    return y


def _norm(
    p: Planner, x: Any, w: Any, b: Any, mean: Any, variance: Any, training: bool, momentum: float, eps: float, fast: bool
) -> Tensor | None:
    if training or not usable(x, mean, variance) or not is_dense(x) or not p.is_constant(mean):
        return None
    scale = (variance + eps).rsqrt() * (1 if w is None else w)
    shift = (0 if b is None else b) - mean * scale
    around = (-1, *[1] * (x.ndim - 2))
    if rows_of(x, scale.reshape(around)) is None:
        return None
    scaled = _pair("mul", p, x, scale.reshape(around))
    y = None if scaled is None else _pair("add", p, scaled, shift.reshape(around))
    if scaled is not None:
        p.release(scaled)
    return y


# Float products that are small: first and last layers.


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
    source = _bordered(p, x, padding) if any(padding) else x
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


# What encoders have.


def _layer_norm(
    p: Planner, x: Any, shape: Any, w: Any = None, b: Any = None, eps: float = 1e-5, fast: bool = True
) -> Tensor | None:
    n = shape[-1]
    known = (each is None or (usable(each) and p.is_constant(each) and each.shape == (n,)) for each in (w, b))
    if len(shape) != 1 or not usable(x) or x.shape[-1] != n or not all(known):
        return None
    source = x if x.is_contiguous() else p.copy(x, p.new(x.shape))
    scale = np.ones(n, np.float32) if w is None else w.numpy()
    shift = np.zeros(n, np.float32) if b is None else b.numpy()
    y = p.new(x.shape)
    p.native.norm(p.place(source), x.numel() // n, scale, shift, eps, p.place(y))
    if source is not x:
        p.release(source)
    return y


def _gelu(p: Planner, x: Any, *, approximate: str = "none") -> Tensor | None:
    return _map(p, "gelu", x, 0.0) if usable(x) and approximate == "none" else None


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


# Means, borders, and moving values.


def _pool(p: Planner, x: Any, size: Any) -> Tensor | None:
    return _mean(p, x, [2, 3], True) if list(size) == [1, 1] and usable(x) and x.ndim == 4 else None


def _mean(p: Planner, x: Any, dims: Any, keep: bool = False, *, dtype: Any = None) -> Tensor | None:
    if dtype is not None or not usable(x) or not dims:
        return None
    out = sorted(d % x.ndim for d in dims)
    rest = [d for d in range(1, x.ndim) if d not in out]
    if 0 in out or not rest or not x.permute(0, *out, *rest).is_contiguous():
        return None
    n, rows = len(x), math.prod(x.shape[d] for d in out)
    y = p.new((n, *(x.shape[d] for d in rest)))
    p.native.means(p.place(x), (n, rows, y.numel() // n), p.place(y))
    if keep:
        for d in out:
            y = y.unsqueeze(d)
    return y


def _reshaped(name: str, p: Planner, x: Any, *args: Any) -> Any:
    if not usable(x):
        return None
    again = p.operations[f"aten.{name}"]
    found = again(x, *args)
    if found.untyped_storage().data_ptr() == x.untyped_storage().data_ptr():
        return found
    return again(p.copy(x, p.new(x.shape)), *args)


def _cat(p: Planner, parts: Any, dim: int = 0) -> Tensor | None:
    if not usable(*parts) or len({x.ndim for x in parts}) > 1:
        return None
    shape = list(parts[0].shape)
    shape[dim] = sum(x.shape[dim] for x in parts)
    y = p.new(shape, channels_last(shape) if len(shape) == 4 else None)
    start = 0
    for x in parts:
        p.copy(x, y.narrow(dim, start, x.shape[dim]))
        start += x.shape[dim]
    return y


def _pad(p: Planner, x: Any, amounts: Any, mode: str = "constant", value: Any = None) -> Tensor | None:
    return _constant_pad(p, x, amounts, value) if mode == "constant" else None


def _constant_pad(p: Planner, x: Any, amounts: Any, value: Any = None) -> Tensor | None:
    if (
        not usable(x)
        or x.ndim != 4
        or len(amounts) != 4
        or amounts[0] != amounts[1]
        or amounts[2] != amounts[3]
        or min(amounts) < 0
    ):
        return None
    return _bordered(p, x, [amounts[2], amounts[0]], float(value or 0))


def _bordered(p: Planner, x: Tensor, around: Any, value: float = 0.0) -> Tensor:
    (n, c, h, w), (top, left) = x.shape, around
    shape = (n, c, h + 2 * top, w + 2 * left)
    y = p.new(shape, channels_last(shape))
    p.native.fill(p.place(y), y.numel(), value)
    p.copy(x, y.narrow(2, top, h).narrow(3, left, w))
    return y
