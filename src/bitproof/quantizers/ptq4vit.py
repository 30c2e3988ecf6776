"""PTQ4ViT: vision transformers after training, with two steps where values are crowded, chosen by a gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitproof.quantizers.affine import POST_TRAINING, Quantizer
from bitproof.quantizers.guided import Guided, PerHead
from bitproof.quantizers.staircase import Staircase

#: Shares of the full range that are tried.
_SHARES = (0.01, 1.2)

#: How often the split of an attention map is halved: 2⁰ … 2⁻¹⁹ are tried.
_SPLITS = 20


@dataclass(eq=False, repr=False, kw_only=True)
class PTQ4ViT(Guided):
    """Post-training quantization of transformers: twin steps for maps and GELU, ranges by what they cost the loss.

    Forward, h = 2^(bits−1): s = k·max|x| / (h − ½), x_hat = s·clip(round(x / s), −h, h − 1); queries, keys and values by head.
    GELU's output: D⁻·clip(round(x / D⁻), −h, 0) below 0, D⁻ = 0.16997 / h, else D⁺·clip(round(x / D⁺), 0, h − 1).
    Attention map, split t = 2⁻ⁱ: round(x·(h − 1)) / (h − 1) where x ≥ t, else D·round(x / D), D = t / (h − 1).
    Search, in ``convert``: k ∈ [0.01, 1.2] and i ∈ 0 … 19 with the smallest Σ (g·(y − y_hat))² over the product's output y, g the
    gradient of the loss with respect to it; the two sides by turns, ``rounds`` times; inputs are the float network's.
    Backward: dx = g inside the range, widened by half a step, else 0. Shapes: any → the same.

    Source: arXiv 2111.12293, equations 5 to 12; constants: hahnyuan/PTQ4ViT b42c790.
    Differs from the paper: the loss is cross-entropy on a label drawn from the float network's own answer, since the distance
    to its own logits has no gradient there; a map's value lies in one of its two ranges, where the code adds both, so that just
    above the split the level may be lower than just below; both ends of k are tried; inputs that are never negative have
    unsigned codes; GELU is known by its lowest value; first and last layer have 8 bits, the inputs of the first too; qkv is
    one layer.
    """

    source: ClassVar[str] = "arXiv 2111.12293"
    version: ClassVar[int] = 2
    margin: ClassVar[float] = 0.5
    symmetric_only: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {**POST_TRAINING, "per": "tensor", "symmetric": True, "products": "same"}

    def shares(self) -> tuple[float, float]:
        """Return where k is sought."""
        return _SHARES

    @classmethod
    def at_operand(cls, operand: str) -> type[Quantizer]:
        """The map has two ranges, the others a range a head."""
        return TwinMap if operand == "map" else TwinOperand


@dataclass(eq=False, repr=False, kw_only=True)
class TwinOperand(PerHead, PTQ4ViT):
    """PTQ4ViT's queries, keys and values: a range a head; see ``PTQ4ViT``."""


@dataclass(eq=False, repr=False, kw_only=True)
class TwinMap(Staircase):
    """PTQ4ViT's attention map: a fine range below the split and a coarse one above; see ``PTQ4ViT``."""

    candidates: int = 100
    rounds: int = 3

    split: Tensor = field(init=False)

    source: ClassVar[str] = PTQ4ViT.source
    idempotent: ClassVar[bool] = False  # the fine range's highest level is where the coarse one begins

    def __post_init__(self) -> None:
        super().__post_init__()
        self.register_buffer("split", torch.ones(()))

    def eliminated(self) -> float:
        """Return 0: all errors count."""
        return 0.0

    def choices(self) -> list[float]:
        """Return the splits that are tried."""
        return [2.0**-i for i in range(_SPLITS)]

    def take(self, k: Tensor) -> None:
        """Split at ``k``."""
        half = 2 ** (self.bits - 1)
        codes = torch.arange(half, device=self.levels.device) / (half - 1)
        self.split.copy_(k)
        self.levels.copy_(torch.cat([codes * k, codes]))

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Begin with one range."""
        self.take(torch.ones((), device=lo.device))

    @property
    def top(self) -> int:
        """The highest code of either range."""
        return int(2 ** (self.bits - 1) - 1)

    def place(self, x: Tensor) -> Tensor:
        """Return x in steps of its range."""
        return torch.where(x < self.split, x / self.split, x) * self.top

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return q as int32: those of the fine range come first."""
        self.limits()
        return self.place(x).round_().clamp_(0, self.top).to(torch.int32) + (x >= self.split) * (self.top + 1)
