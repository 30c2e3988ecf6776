"""Values that only move, and their means: means, pools, reshapes, joins and borders."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from bitproof.export.emit.values import usable
from bitproof.export.layout import channels_last
from bitproof.export.planning import Emitter, Planner


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
    return bordered(p, x, [amounts[2], amounts[0]], float(value or 0))


def bordered(p: Planner, x: Tensor, around: Any, value: float = 0.0) -> Tensor:
    """Return pictures ``x`` with ``around`` = (rows, columns) of ``value`` on either side, channels last."""
    (n, c, h, w), (top, left) = x.shape, around
    shape = (n, c, h + 2 * top, w + 2 * left)
    y = p.new(shape, channels_last(shape))
    p.native.fill(p.place(y), y.numel(), value)
    p.copy(x, y.narrow(2, top, h).narrow(3, left, w))
    return y


#: Name of torch's operation → emitter.
MOVES: Mapping[str, Emitter] = {
    "adaptive_avg_pool2d.default": _pool,
    "mean.dim": _mean,
    "cat.default": _cat,
    "pad.default": _pad,
    "constant_pad_nd.default": _constant_pad,
    **{name: functools.partial(_reshaped, name) for name in ("reshape.default", "flatten.using_ints")},
}
