"""The convolution of signs as an op of torch: ``torch.compile`` and ``torch.export`` keep it as one node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bitproof.kernels.epilogue import Affine
from bitproof.kernels.ops import conv2d, pack
from bitproof.kernels.reference import out_size
from bitproof.kernels.weight import PackedWeight


@torch.library.custom_op("bitproof::sign_conv2d", mutates_args=(), device_types="cpu")
def sign_conv2d(
    x: Tensor,
    blocks: Tensor,
    sums: Tensor,
    scale: Tensor,
    bias: Tensor,
    shape: Sequence[int],
    groups: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    pad: int,
    threads: int,
    threshold: Tensor | None = None,
) -> Tensor:
    """Convolve the signs of x with a packed weight, then scale and bias.

    float32 ``[n, c, h, w]`` → float32 ``[n, o, h', w']``, channels last in memory.

    Args:
        x: its signs are taken, sign(0) = +1.
        blocks: of a ``PackedWeight``, as int32: torch's uint32 has few ops.
        sums: of the same.
        scale: float32 ``[o]``.
        bias: float32 ``[o]``.
        shape: of the same ``PackedWeight``: (o, c / groups, kh, kw).
        groups: of the same.
        stride: (rows, columns).
        padding: positions added at each side.
        dilation: between taps.
        pad: what the border holds: 1, −1, or 0, which is exact.
        threads: that may share the work; 0 takes as many as torch has at the call.
        threshold: float32, 1 value or one an input channel: the sign of x − threshold is taken.

    Raises:
        ShapeError: as ``conv2d``.
    """
    out, channels, kh, kw = shape
    w = PackedWeight(blocks.numpy().view(np.uint32), sums.numpy(), (out, channels, kh, kw), groups)
    threads = threads or torch.get_num_threads()
    words = pack(x.numpy(), axis=1, threshold=None if threshold is None else threshold.numpy(), threads=threads)
    then, steps = Affine(scale.numpy(), bias.numpy()), [_pair(values) for values in (stride, padding, dilation)]
    y = conv2d(words, w, then, stride=steps[0], padding=steps[1], dilation=steps[2], pad=pad, threads=threads)
    return torch.from_numpy(y).permute(0, 3, 1, 2)


@sign_conv2d.register_fake
def _(
    x: Tensor,
    blocks: Tensor,
    sums: Tensor,
    scale: Tensor,
    bias: Tensor,
    shape: Sequence[int],
    groups: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    pad: int,
    threads: int,
    threshold: Tensor | None = None,
) -> Tensor:
    size = [out_size(x.shape[2 + i], shape[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1)]
    return x.new_empty((x.shape[0], *size, shape[0])).permute(0, 3, 1, 2)


def _pair(values: Sequence[int]) -> tuple[int, int]:
    rows, columns = values
    return rows, columns
