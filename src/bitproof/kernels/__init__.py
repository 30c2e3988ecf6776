"""Packed 1-bit arithmetic: arrays in, arrays out; C++ per instruction set beside a NumPy reference that also stands in for it.

A bit is 1 for −1 and 0 for +1; words are uint64, the first value in the lowest bit, what is left of the last word 0.
"""

from typing import TYPE_CHECKING, Any

from bitproof.kernels.epilogue import Affine, Cut, cut, cut_where, fold_norm
from bitproof.kernels.ops import conv2d, gemm, pack, unpack
from bitproof.kernels.plan import Place, Plan, can_plan
from bitproof.kernels.sets import REFERENCE, available, chosen, status
from bitproof.kernels.spectra import BandFilters, Floats, band_filters, bands, frames
from bitproof.kernels.weight import PackedWeight, pack_weight

if TYPE_CHECKING:
    from bitproof.kernels.torch_op import sign_conv2d

__all__ = [
    "REFERENCE",
    "Affine",
    "BandFilters",
    "Cut",
    "Floats",
    "PackedWeight",
    "Place",
    "Plan",
    "available",
    "band_filters",
    "bands",
    "can_plan",
    "chosen",
    "conv2d",
    "cut",
    "cut_where",
    "fold_norm",
    "frames",
    "gemm",
    "pack",
    "pack_weight",
    "sign_conv2d",
    "status",
    "unpack",
]


def __getattr__(name: str) -> Any:
    if name == "sign_conv2d":  # the one op that needs torch
        from bitproof.kernels.torch_op import sign_conv2d

        return sign_conv2d
    raise AttributeError(f"module 'bitproof.kernels' has no attribute {name!r}; it has {', '.join(__all__)}")
