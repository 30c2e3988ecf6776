"""What every kernel must equal, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Signs = NDArray[np.int8]
Counts = NDArray[np.int32]
Pair = tuple[int, int]


def words_of(bits: int) -> int:
    """Return how many 64-bit words hold ``bits``."""
    return -(-bits // 64)


def pack(negative: NDArray[np.bool_]) -> Words:
    """Pack ``[..., k]`` truths into ``[..., ceil(k / 64)]`` words: bit i of word j is value 64·j + i."""
    k = negative.shape[-1]
    padded = np.zeros((*negative.shape[:-1], words_of(k) * 64), dtype=bool)
    padded[..., :k] = negative
    return np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)


def unpack(words: Words, k: int) -> Signs:
    """Return the ``[..., k]`` signs: −1 where the bit is set."""
    octets = np.ascontiguousarray(words).view(np.uint8)
    return 1 - 2 * np.unpackbits(octets, axis=-1, count=k, bitorder="little").astype(np.int8)


def conv2d(x: Signs, w: Signs, stride: Pair, padding: Pair, dilation: Pair, groups: int, pad: int) -> Counts:
    """Convolve signs: x ``[n, h, w, c]``, w ``[o, c / groups, kh, kw]`` → ``[n, h', w', o]``; the border holds ``pad``.

    y[n, i, j, o] = Σ over c, u, v of x[n, i·stride + u·dilation − padding, …, c] · w[o, c, u, v]
    """
    (n, _, _, channels), (out, _, kh, kw) = x.shape, w.shape
    rows, columns = (out_size(x.shape[1 + i], w.shape[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    # Sums of fewer than 2^24 signs are exact in float32, and a float product is what NumPy does fast.
    bordered = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)), constant_values=pad).astype(np.float32)
    weights = w.reshape(groups, out // groups, channels // groups, kh, kw).astype(np.float32)
    y = np.zeros((groups, n * rows * columns, out // groups), dtype=np.float32)
    for u in range(kh):
        for v in range(kw):
            top, left = u * dilation[0], v * dilation[1]
            down = slice(top, top + (rows - 1) * stride[0] + 1, stride[0])
            right = slice(left, left + (columns - 1) * stride[1] + 1, stride[1])
            seen = bordered[:, down, right].reshape(y.shape[1], groups, channels // groups)
            y += seen.transpose(1, 0, 2) @ weights[..., u, v].transpose(0, 2, 1)
    return y.transpose(1, 0, 2).reshape(n, rows, columns, out).astype(np.int32, order="C")


def out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the length of a convolution's output; below 1 where the kernel does not fit."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def affine(y: Counts, scale: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return y · scale + bias, each step rounded to float32."""
    scaled: NDArray[np.float32] = y.astype(np.float32) * scale + bias
    return scaled


def cut(y: Counts, at: Counts, flip: Words) -> Words:
    """Return the packed truths (y < at) xor flip."""
    return pack((y < at) ^ (unpack(flip, y.shape[-1]) < 0))


def negative(x: NDArray[Any], threshold: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Return where x is below the threshold (0): −0.0, 0 and NaN are not."""
    below: NDArray[np.bool_] = x < (0 if threshold is None else threshold)
    return below
