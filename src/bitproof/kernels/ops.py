"""The ops: shapes are checked here, the work is done by the chosen instruction set or by the reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitproof.core import ShapeError
from bitproof.kernels import reference
from bitproof.kernels.epilogue import Affine, Cut, per_output
from bitproof.kernels.sets import REFERENCE, chosen, native
from bitproof.kernels.weight import PackedWeight

Words = NDArray[np.uint64]
Pair = tuple[int, int]
#: How the C++ side numbers the values of the border.
PADS = {1: 0, -1: 1, 0: 2}


def pack(
    x: NDArray[Any], *, axis: int = -1, threshold: ArrayLike | None = None, threads: int = 1, kernels: str | None = None
) -> Words:
    """Pack the signs of x along ``axis``, which becomes the last: 64 values a word.

    bit = 1 where x < threshold, so sign(x − threshold) with sign(0) = +1; −0.0 and NaN count as +1.

    ``[..., k]`` → ``[..., ceil(k / 64)]``: (128, 768) → (128, 12); with ``axis=1`` (1, 64, 56, 56) → (1, 56, 56, 1).

    Args:
        x: any real dtype; float32 is fast, others are compared by NumPy.
        axis: the reduction axis.
        threshold: 1 value, or k along ``axis``; 0 if not given.
        threads: that may share the work.
        kernels: the instruction set; the fastest if not given.

    Raises:
        ShapeError: if x has no such axis, or the threshold another size.
        UnknownName: if the instruction set does not run here.
    """
    if x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"pack needs an array with an axis {axis}; this one has shape {x.shape}.")
    axis %= x.ndim
    k, name = x.shape[axis], chosen(kernels)
    cuts = None if threshold is None else per_output(threshold, k)
    if name == REFERENCE or x.dtype != np.float32:
        return reference.pack(reference.negative(np.moveaxis(x, axis, -1), cuts))
    if not x.flags.c_contiguous and np.moveaxis(x, axis, -1).flags.c_contiguous:
        x, axis = np.moveaxis(x, axis, -1), x.ndim - 1  # channels last under another name
    shape = (*x.shape[:axis], *x.shape[axis + 1 :], reference.words_of(k))
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    out = np.zeros((outer, inner, shape[-1]), dtype=np.uint64)
    native().pack(name, np.ascontiguousarray(x).reshape(outer, k, inner), cuts, out, threads)
    return out.reshape(shape)


def unpack(words: Words, k: int) -> NDArray[np.int8]:
    """Return the signs ``[..., k]`` of ``[..., ceil(k / 64)]`` words."""
    _check_words(words, k)
    return reference.unpack(words, k)


def gemm(
    x: Words, w: PackedWeight, then: Affine | Cut | None = None, *, threads: int = 1, kernels: str | None = None
) -> NDArray[Any]:
    """Multiply rows of signs by a packed weight; one row is a GEMV.

    y[m, o] = Σ_k x[m, k] · w[o, k] = terms − 2 · popcount(x[m] xor w[o])

    ``[..., ceil(k / 64)]`` → int32 ``[..., o]``; float32 after ``Affine``; packed ``[..., ceil(o / 64)]`` after ``Cut``.

    Args:
        x: from ``pack`` or from a ``Cut``; the bits beyond k must be 0, as those two leave them.
        w: from ``pack_weight`` with ``[o, k]``.
        then: what is done with the sums before they are written.
        threads: that may share the work.
        kernels: the instruction set; the fastest if not given.

    Raises:
        ShapeError: if the words do not fit the weight, or the weight has taps or groups.
        UnknownName: if the instruction set does not run here.
    """
    if w.shape[2:] != (1, 1) or w.groups != 1:
        raise ShapeError(f"gemm needs a weight [o, k]; this one has shape {w.shape}, groups={w.groups}. Use conv2d.")
    _check_words(x, w.channels)
    rows = x.reshape(math.prod(x.shape[:-1]), 1, 1, x.shape[-1])
    y = conv2d(rows, w, then, threads=threads, kernels=kernels)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def conv2d(
    x: Words,
    w: PackedWeight,
    then: Affine | Cut | None = None,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    pad: int = 1,
    threads: int = 1,
    kernels: str | None = None,
) -> NDArray[Any]:
    """Convolve packed signs, channels last.

    y[n, i, j, o] = Σ over c, u, v of x[n, i·stride + u·dilation − padding, …, c] · w[o, c, u, v]

    ``[n, h, w, ceil(c / 64)]`` → int32 ``[n, h', w', o]``; float32 after ``Affine``; packed ``[n, h', w', ceil(o / 64)]`` after
    ``Cut``: the input of the next layer.

    Args:
        x: from ``pack(..., axis=1)`` of an N×C×H×W array, or from a ``Cut``; the bits beyond c must be 0, as those leave them.
        w: from ``pack_weight``, with its groups (depthwise too).
        then: what is done with the sums before they are written.
        stride: of both axes, or (rows, columns).
        padding: positions added at each side.
        dilation: between taps.
        pad: what the border holds: 1, −1, or 0, which is exact: a padded tap adds nothing.
        threads: that may share the work.
        kernels: the instruction set; the fastest if not given.

    Raises:
        ShapeError: if the words do not fit the weight, the kernel does not fit the input, or a setting is out of range.
        UnknownName: if the instruction set does not run here.
    """
    steps = {
        "stride": _pair("stride", stride, 1),
        "padding": _pair("padding", padding, 0),
        "dilation": _pair("dilation", dilation, 1),
    }
    if pad not in PADS:
        raise ShapeError(f"The border of a convolution of signs holds 1, -1 or 0; pad={pad!r} was asked for.")
    if x.ndim != 4:
        raise ShapeError(f"conv2d needs packed [n, h, w, words]; this array has shape {x.shape}.")
    _check_words(x, w.channels)
    size = [
        reference.out_size(x.shape[1 + i], w.shape[2 + i], steps["stride"][i], steps["padding"][i], steps["dilation"][i])
        for i in (0, 1)
    ]
    if min(size) < 1:
        raise ShapeError(f"A kernel of {w.shape[2:]} does not fit {x.shape[1:3]} positions with {steps}.")
    name, shape = chosen(kernels), (x.shape[0], *size, w.shape[0])
    if name == REFERENCE:
        return _finish(reference.conv2d(reference.unpack(x, w.channels), w.unpack(), groups=w.groups, pad=pad, **steps), then)
    arguments, out = _result(shape, then)
    if out.size:
        numbers = (*x.shape[:3], w.channels, w.shape[0], w.groups, *w.shape[2:], *(n for pair in steps.values() for n in pair))
        native().conv(name, np.ascontiguousarray(x), w.blocks, w.sums, numbers, PADS[pad], threads, **arguments)
    return out


def _pair(name: str, value: int | Pair, least: int) -> Pair:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < least:
        raise ShapeError(f"{name} must be one or two whole numbers from {least}; {value!r} was asked for.")
    return pair


def _check_words(x: Words, k: int) -> None:
    if x.dtype != np.uint64 or x.ndim == 0 or x.shape[-1] != reference.words_of(k):
        raise ShapeError(
            f"{k} signs are {reference.words_of(k)} uint64 words; this array is {x.dtype} with shape {x.shape}. Pack it with pack."
        )


def check_cut(then: Cut, outputs: int) -> None:
    """Raise ShapeError where thresholds or flips are not those of ``outputs`` outputs."""
    if then.at.shape != (outputs,):
        raise ShapeError(f"The cut has {then.at.size} thresholds; the weight has {outputs} outputs.")
    _check_words(then.flip, outputs)


def _finish(y: NDArray[np.int32], then: Affine | Cut | None) -> NDArray[Any]:
    outputs = y.shape[-1]
    if isinstance(then, Cut):
        check_cut(then, outputs)
        return reference.cut(y, then.at, then.flip)
    return y if then is None else reference.affine(y, per_output(then.scale, outputs), per_output(then.bias, outputs))


def _result(shape: tuple[int, ...], then: Affine | Cut | None) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Make the array that the kernel writes, and name the kernel's arguments."""
    out: NDArray[Any]
    if isinstance(then, Cut):
        check_cut(then, shape[-1])
        out = np.zeros((*shape[:-1], reference.words_of(shape[-1])), dtype=np.uint64)
        at, flip = np.ascontiguousarray(then.at, dtype=np.int32), np.ascontiguousarray(then.flip)
        return {"bits": out, "at": at, "flip": flip}, out
    if then is None:
        out = np.empty(shape, dtype=np.int32)
        return {"y": out}, out
    out = np.empty(shape, dtype=np.float32)
    return {"real": out, "scale": per_output(then.scale, shape[-1]), "bias": per_output(then.bias, shape[-1])}, out
