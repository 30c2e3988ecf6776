"""Float arithmetic value by value, and norms."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitproof.export.layout import is_dense, rows_of, same_layout
from bitproof.export.planning import Emitter, Planner


def usable(*values: Any) -> bool:
    """Say whether all are float32 tensors with something in them."""
    return all(isinstance(x, Tensor) and x.dtype == torch.float32 and x.numel() for x in values)


def dense(p: Planner, x: Tensor) -> Tensor:
    """Return ``x``, or a copy of it that is one run of memory."""
    return x if is_dense(x) else p.copy(x, p.new(x.shape))


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


def _gelu(p: Planner, x: Any, *, approximate: str = "none") -> Tensor | None:
    return _map(p, "gelu", x, 0.0) if usable(x) and approximate == "none" else None


# Norms.


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


_ENDS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "hardtanh": (-1.0, 1.0), "clamp": (None, None)}

#: Name of torch's operation → emitter.
VALUES: Mapping[str, Emitter] = {
    **{f"{name}.default": functools.partial(_clip, ends) for name, ends in _ENDS.items()},
    **{f"{name}.{kind}": functools.partial(_pair, name) for name in ("add", "sub", "mul", "div") for kind in ("Tensor", "Scalar")},
    "prelu.default": _prelu,
    "leaky_relu.default": _leaky,
    "gelu.default": _gelu,
    "batch_norm.default": _norm,
    "layer_norm.default": _layer_norm,
}
