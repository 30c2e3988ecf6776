"""Packed 1-bit arithmetic: arrays in, arrays out; C++ per instruction set beside a NumPy reference that also stands in for it.

A bit is 1 for −1 and 0 for +1; words are uint64, the first value in the lowest bit, what is left of the last word 0.
"""

from bitproof.kernels.epilogue import Affine, Cut, cut, cut_where, fold_norm
from bitproof.kernels.ops import conv2d, gemm, pack, unpack
from bitproof.kernels.sets import available, chosen, status
from bitproof.kernels.weight import PackedWeight, pack_weight

__all__ = [
    "Affine",
    "Cut",
    "PackedWeight",
    "available",
    "chosen",
    "conv2d",
    "cut",
    "cut_where",
    "fold_norm",
    "gemm",
    "pack",
    "pack_weight",
    "status",
    "unpack",
]
