"""BiBERT: encoders in one bit, whose attention map is a threshold instead of a softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.quantizers.affine import Quantizer
from bitproof.quantizers.binary import ENCODER, Centred


@dataclass(eq=False, repr=False, kw_only=True)
class BiBERT(Centred):
    """Binarization of a whole encoder, Bi-Attention included.

    Forward, weights and word embeddings: w_hat = s·sign(w − w̄), w̄ and s = mean|w| per row. Inputs of layers, queries, keys and
    values: x_hat = sign(x). Attention: M = bool(A), A = q_hat·k_hatᵀ/√d, 1 where A ≥ 0, else 0; there is no softmax.
    Backward: dw = dv − mean(dv), dv = s·g·[|w − w̄| ≤ 1]; dx = g·[|x| ≤ 1]; dA = g·[|A| < 1].
    Shapes: any → the same. 1 bit. The scale of a weight is a constant in the backward pass.

    Source: arXiv 2203.06390, sections 3 and 4 (its threshold at 0: equations 8 to 10).
    Differs from the paper: sign(0) = +1, as its bool is 1 at 0 (its code's is 0); dropout comes behind the bool; dv holds the
    scale, which the code leaves out. Differs from the code: it stores 1 bit where it says so.
    """

    version: ClassVar[int] = 2  # the negative tail of GELU keeps its sign
    source: ClassVar[str] = "arXiv 2203.06390"
    defaults: ClassVar[dict[str, Any]] = ENCODER

    @classmethod
    def at_operand(cls, operand: str) -> type[Quantizer]:
        """The map has a form of its own."""
        return BiAttentionMap if operand == "map" else cls


@dataclass(eq=False, repr=False, kw_only=True)
class BiAttentionMap(BiBERT):
    """BiBERT's attention map: 1 where the score is at least 0, else 0; see ``BiBERT``."""

    of_scores: ClassVar[bool] = True
    low = 0

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| < 1: scores lie on a grid, so the bound matters."""
        return torch.where(u.abs() < 1, g, 0.0)
