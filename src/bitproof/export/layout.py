"""How tensors lie in memory: what a step may read as one run of values, or as rows."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Strides = tuple[int, ...]


def axes(x: Tensor) -> list[int]:
    """Return the axes of more than one position, the ones whose neighbours lie farthest apart first."""
    strides = x.stride()
    return sorted((i for i in range(x.ndim) if x.shape[i] > 1), key=lambda i: -strides[i])


def is_dense(x: Tensor) -> bool:
    """Say whether its values fill one run of memory, each once."""
    expected = 1
    for i in reversed(axes(x)):
        if x.stride(i) != expected:
            return False
        expected *= x.shape[i]
    return True


def same_layout(x: Tensor, z: Tensor) -> bool:
    """Say whether equal places of both lie at equal offsets."""
    return x.shape == z.shape and all(x.stride(i) == z.stride(i) for i in range(x.ndim) if x.shape[i] > 1)


def rows_of(x: Tensor, z: Tensor) -> tuple[int, int] | None:
    """Return how many rows of how many values ``x``, which is dense, has where ``z`` is one row for all; None where it is not."""
    wide, order = z.expand(x.shape), axes(x)[::-1]
    same = [wide.stride(i) == x.stride(i) for i in order]
    repeated = [wide.stride(i) == 0 for i in order]
    count = same.index(False) if False in same else len(same)
    if count == 0 or not all(repeated[count:]):
        return None
    n = 1
    for i in order[:count]:
        n *= x.shape[i]
    return x.numel() // n, n


def channels_last(shape: Sequence[int]) -> Strides:
    """Return the strides of N×C×H×W whose channels lie side by side."""
    _, c, h, w = shape
    return h * w * c, 1, w * c, c


def in_order(shape: Sequence[int]) -> Strides:
    """Return the strides of an array whose last axis is the fastest."""
    found, step = [], 1
    for size in reversed(shape):
        found.append(step)
        step *= max(size, 1)
    return tuple(reversed(found))


def moves(x: Tensor, y: Tensor) -> tuple[list[int], list[int], list[int]]:
    """Return sizes and strides of a copy x → y, slow axes of y first, neighbouring axes made one where both allow it."""
    sizes: list[int] = []
    source: list[int] = []
    target: list[int] = []
    for i in axes(y):
        n, a, b = x.shape[i], x.stride(i), y.stride(i)
        if sizes and source[-1] == a * n and target[-1] == b * n:
            sizes[-1], source[-1], target[-1] = sizes[-1] * n, a, b
        else:
            for found, value in ((sizes, n), (source, a), (target, b)):
                found.append(value)
    return (sizes, source, target) if sizes else ([1], [1], [1])
