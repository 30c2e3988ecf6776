"""Weights in the order in which the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitproof.core import ShapeError
from bitproof.kernels import reference

LANES, WORD = 16, 32
#: Sums of signs are exact in float32 below this many.
MOST = 2**24


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """The signs of a layer's weight, packed once and used by every call; made by ``pack_weight``.

    Args:
        blocks: uint32 ``[groups, ceil(o / 16), kh·kw, ceil(c / 32), 16]`` with o, c of one group: 16 outputs side by side;
            one channel in and out per group (depthwise): ``[kh·kw, 2·ceil(o / 64)]`` with o of all groups.
        sums: int32, Σ over c of the signs of each tap, in the same order of outputs: what zero padding has to take back.
        shape: (o, c / groups, kh, kw); a linear layer's is (o, k, 1, 1).
        groups: as of the layer.
    """

    blocks: NDArray[np.uint32]
    sums: NDArray[np.int32]
    shape: tuple[int, int, int, int]
    groups: int

    @property
    def channels(self) -> int:
        """Input channels of all groups together."""
        return self.shape[1] * self.groups

    @property
    def terms(self) -> int:
        """Products in one output."""
        return self.shape[1] * self.shape[2] * self.shape[3]

    @property
    def size_bytes(self) -> int:
        """Memory of the packed signs, padding of ragged blocks included, ``sums`` not."""
        return self.blocks.nbytes

    def unpack(self) -> NDArray[np.int8]:
        """Return the signs ``[o, c / groups, kh, kw]``."""
        out, channels, kh, kw = self.shape
        if _depthwise(self.shape, self.groups):
            words = np.ascontiguousarray(self.blocks).view(np.uint64)
            return reference.unpack(words, out).T.reshape(self.shape)
        octets = np.ascontiguousarray(self.blocks.transpose(0, 1, 4, 2, 3)).view(np.uint8)
        signs = 1 - 2 * np.unpackbits(octets, axis=-1, count=channels, bitorder="little").astype(np.int8)
        lanes = signs.reshape(self.groups, -1, kh * kw, channels)[:, : out // self.groups]
        return lanes.transpose(0, 1, 3, 2).reshape(self.shape)


def _depthwise(shape: tuple[int, ...], groups: int) -> bool:
    return groups > 1 and shape[1] == 1 and shape[0] == groups


def pack_weight(w: NDArray[Any], groups: int = 1) -> PackedWeight:
    """Pack the signs of a weight, sign(0) = +1.

    Args:
        w: ``[o, k]`` of a linear layer or ``[o, c / groups, kh, kw]`` of a convolution; any real dtype.
        groups: of the convolution.

    Raises:
        ShapeError: if w has other dimensions, ``groups`` does not divide o, or an output has 2^24 products or more.
    """
    if w.ndim not in (2, 4) or 0 in w.shape:
        raise ShapeError(f"A packed weight needs [o, k] or [o, c / groups, kh, kw] without a 0; this one has shape {w.shape}.")
    shape = (*w.shape, 1, 1) if w.ndim == 2 else w.shape
    if groups < 1 or shape[0] % groups:
        raise ShapeError(f"groups={groups} does not divide the {shape[0]} outputs of a weight of shape {w.shape}.")
    if shape[1] * shape[2] * shape[3] >= MOST:
        raise ShapeError(f"A weight of shape {w.shape} has {MOST} products an output or more; their sum is not exact in float32.")
    return _arrange(reference.negative(w.reshape(shape), None), groups)


def _arrange(bits: NDArray[np.bool_], groups: int) -> PackedWeight:
    out, channels, kh, kw = bits.shape
    taps = bits.transpose(0, 2, 3, 1).reshape(groups, out // groups, kh * kw, channels)
    if _depthwise(bits.shape, groups):
        return _arrange_depthwise(taps.reshape(out, kh * kw).T, bits.shape)
    lanes = -(-taps.shape[1] // LANES) * LANES
    full = np.zeros((groups, lanes, kh * kw, -(-channels // WORD) * WORD), dtype=bool)
    full[:, : taps.shape[1], :, :channels] = taps
    words = np.packbits(full, axis=-1, bitorder="little").view(np.uint32)
    blocks = words.reshape(groups, -1, LANES, *words.shape[2:]).transpose(0, 1, 3, 4, 2)
    sums = channels - 2 * full.sum(axis=-1, dtype=np.int32).transpose(0, 2, 1)
    return PackedWeight(np.ascontiguousarray(blocks), np.ascontiguousarray(sums), bits.shape, groups)


def _arrange_depthwise(taps: NDArray[np.bool_], shape: tuple[int, int, int, int]) -> PackedWeight:
    words = reference.pack(taps)
    padded = np.zeros((len(taps), words.shape[1] * 64), dtype=np.int32)
    padded[:, : shape[0]] = taps
    return PackedWeight(words.view(np.uint32), 1 - 2 * padded, shape, shape[0])
