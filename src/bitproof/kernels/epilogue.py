"""What follows a packed product: a scale and bias, or a threshold whose bits are the next layer's input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitproof.core import ShapeError
from bitproof.kernels import reference

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Affine:
    """y · scale + bias in float32, each step rounded; one value an output, or one for all."""

    scale: ArrayLike
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class Cut:
    """The bits (y < at) xor flip: a following sign, with every scale, bias and norm before it, as one comparison.

    Args:
        at: int32 ``[o]``.
        flip: packed ``[ceil(o / 64)]``; set where the value falls with y.
    """

    at: NDArray[np.int32]
    flip: NDArray[np.uint64]


def cut_where(negative: Callable[[NDArray[np.int32]], NDArray[np.bool_]], outputs: int, terms: int) -> Cut:
    """Find the threshold of any rule that is monotone in y, by asking the rule itself: so it agrees with it at every y.

    Args:
        negative: int32 ``[outputs]`` → whether the sign of each output is −1; monotone in each y.
        outputs: their number.
        terms: products in an output: y runs from −terms to terms.

    Raises:
        ShapeError: if ``negative`` returns another shape.
    """

    def ask(y: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(negative(y.astype(np.int32)), dtype=bool)

    low, high = np.full(outputs, -terms, dtype=np.int64), np.full(outputs, terms + 1, dtype=np.int64)
    first, last = ask(low), ask(high - 1)
    if first.shape != (outputs,):
        raise ShapeError(f"The rule of a cut must answer for {outputs} outputs; its answer has shape {first.shape}.")
    flip = ~first & last
    while (low < high).any():  # ends at the first y whose (negative xor flip) is false
        middle = (low + high) // 2
        true = ask(np.minimum(middle, terms)) ^ flip
        low, high = np.where(true & (low < high), middle + 1, low), np.where(true, high, np.minimum(middle, high))
    return Cut(low.astype(np.int32), reference.pack(flip))


def cut(scale: ArrayLike, bias: ArrayLike, outputs: int, terms: int) -> Cut:
    """Return the cut of sign(y · scale + bias) as float32 computes it, sign(0) = +1."""
    s, b = per_output(scale, outputs), per_output(bias, outputs)
    return cut_where(lambda y: reference.affine(y, s, b) < 0, outputs, terms)


def fold_norm(scale: ArrayLike, bias: ArrayLike, gamma: Any, beta: Any, mean: Any, variance: Any, eps: float) -> Affine:
    """Fold a batch norm after y · scale + bias into one scale and bias, in float64, rounded once.

    (y·s + b − μ) / √(σ² + ε) · γ + β  =  y · (s·g) + ((b − μ)·g + β)  with  g = γ / √(σ² + ε)
    """
    g = np.asarray(gamma, np.float64) / np.sqrt(np.asarray(variance, np.float64) + eps)
    folded = (np.asarray(bias, np.float64) - np.asarray(mean, np.float64)) * g + np.asarray(beta, np.float64)
    return Affine((np.asarray(scale, np.float64) * g).astype(np.float32), folded.astype(np.float32))


def per_output(value: ArrayLike, outputs: int) -> Floats:
    """Return ``value`` as contiguous float32 ``[outputs]``.

    Raises:
        ShapeError: if it holds neither 1 nor ``outputs`` values.
    """
    array = np.asarray(value, dtype=np.float32).reshape(-1)
    if array.size not in (1, outputs):
        raise ShapeError(f"A scale, bias or threshold needs 1 value or {outputs}, one an output; it has {array.size}.")
    return array if array.size == outputs else np.full(outputs, array[0])
