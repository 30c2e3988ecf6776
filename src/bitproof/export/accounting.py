"""How many operations a network takes when an m × n-bit product counts as m·n/64 of one in float: the papers' way of counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bitproof.convert import Report, as_opened

#: Bits from which a side counts as float.
_FLOAT = 32


@dataclass(frozen=True)
class Account:
    """Operations of one forward, multiplications and additions each one.

    ``float_ops``: of the float network. ``ops``: with every m × n-bit product at m·n/64, at most 1; what stays float counts whole.
    """

    float_ops: float
    ops: float

    @property
    def ratio(self) -> float:
        """How many times fewer."""
        return self.float_ops / self.ops


def account(model: nn.Module, report: Report, batch: Any) -> Account:
    """Count the products of ``model``, the float network, on ``batch`` (keywords or a tensor), at the bits that ``report`` says.

    2·MAC of linear layers, convolutions and matrix products; embeddings, norms, additions and softmax are not counted.
    Source: arXiv 2203.06390, section 5 (FLOPs after 1808.00278: a product of m by n bits is m·n/64 of one of floats).
    Differs from the paper: nothing; it rounds 56.3 out of 22.5 and 0.4 G, the count itself gives 64 where all is binary.
    """
    model = as_opened(model)
    bits = {layer.name: (layer.w_bits or _FLOAT, layer.a_bits or _FLOAT) for layer in report.layers}
    bits |= {product.name: (product.bits or _FLOAT,) * 2 for product in report.products}
    with FlopCounterMode(display=False, depth=99) as counter, torch.no_grad():
        model(**batch) if isinstance(batch, dict) else model(batch)
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    of = {name: counts.get(f"{type(model).__name__}.{name}", 0) for name in bits}
    spared = sum((1 - weight(*bits[name])) * _alone(name, of) for name in bits)
    return Account(float(counts["Global"]), float(counts["Global"]) - spared)


def weight(m: int, n: int) -> float:
    """What one operation of m by n bits counts."""
    return 1.0 if _FLOAT in (m, n) else min(1.0, m * n / 64)


def _alone(name: str, of: dict[str, int]) -> int:
    """A module's count without those of the named ones inside: an attention holds its layers."""
    return of[name] - sum(count for other, count in of.items() if other.startswith(f"{name}."))
