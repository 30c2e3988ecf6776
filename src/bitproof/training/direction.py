"""Direction matching: a student's queries, keys, values and hidden states point where its teacher's do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bitproof.core import ModelError, SpecError

_SMALLEST = 1e-12


def relation(f: Tensor, heads: int, keep: Tensor | None) -> Tensor:
    """Return F·Fᵀ of each head, N×T×(heads·d) → N×heads×T×T, without the rows and columns of padding (``keep`` N×T)."""
    n, t, width = f.shape
    rows = f.reshape(n, t, heads, width // heads).transpose(1, 2)
    products = rows @ rows.mT
    return products if keep is None else products * (keep[:, None, :, None] & keep[:, None, None, :])


def apart(s: Tensor, t: Tensor) -> Tensor:
    """Return ‖s/‖s‖ − t/‖t‖‖ with Frobenius norms over the whole tensor; 0 where both are 0."""
    return ((_unit(s) - _unit(t)).square().sum() + _SMALLEST).sqrt()


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum() + _SMALLEST).sqrt()


@dataclass(frozen=True)
class DirectionMatching:
    """Direction-matching distillation of an encoder (DMD).

    L = Σ apart(P(Q), P(Q')) + the same of K and V + Σ apart(H, H'), with P(F) = F·Fᵀ per head, before they are binarized, and
    H the embedding's and every block's output; apart is the distance of the two divided by their Frobenius norms, over the batch.
    Positions of padding count nowhere. Relations are of the modules that ``relations`` is found in, ``at`` names all.

    Source: arXiv 2203.06390, section 4.2, equations 13 and 14.
    Differs from the paper: padding is left out; P is not divided by √d, which the norm takes away again.
    Differs from its code: products below −100 are kept.
    """

    heads: int = 12
    weight: float = 1.0
    at: str = r"\.(query|key|value)$|encoder\.layer\.\d+$|\.embeddings$"
    relations: str = r"\.(query|key|value)$"

    source: ClassVar[str] = "arXiv 2203.06390"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.heads < 1 or not self.weight > 0:
            raise SpecError(f"dmd needs heads of at least 1 and weight > 0, found heads={self.heads}, weight={self.weight:g}.")

    def __call__(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return the term. Raises ModelError for outputs that are not N×T×width, or a width that is not whole heads."""
        terms = [self._term(name, student[name], teacher[name].detach(), x) for name in student]
        return torch.stack(terms).sum()

    def _term(self, name: str, s: Tensor, t: Tensor, x: Tensor) -> Tensor:
        related = re.search(self.relations, name) is not None
        if s.ndim != 3 or (related and s.shape[2] % self.heads):
            raise ModelError(
                f"dmd: {name!r} gives {tuple(s.shape)}; N×T×width is needed, of {self.heads} heads. Type heads=N or at=…."
            )
        keep = _kept(x, s.shape[1])
        if related:
            return apart(relation(s, self.heads, keep), relation(t, self.heads, keep))
        return apart(s, t) if keep is None else apart(s * keep[..., None], t * keep[..., None])


def _kept(x: Tensor, length: int) -> Tensor | None:
    """Which positions count: of tokens, N×3×length, the second plane says it."""
    return x[:, 1, :length].bool() if x.ndim == 3 and not x.is_floating_point() else None
