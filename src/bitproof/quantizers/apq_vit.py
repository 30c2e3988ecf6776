"""APQ-ViT: vision transformers after training; blocks decide, the smallest errors do not, and the largest attention is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import SpecError
from bitproof.quantizers.affine import POST_TRAINING, Quantizer
from bitproof.quantizers.guided import Guided, PerHead

#: Shares of the full range for linear layers, and for convolutions and the products of an attention.
LINEAR, NARROW = (0.7, 1.1), (0.9, 1.2)


@dataclass(eq=False, repr=False, kw_only=True)
class APQViT(Guided):
    """Post-training quantization of transformers: calibration by block without the smallest errors, attention maps as they are.

    Forward, activations: lo, hi = k·min, k·max; s = (hi − lo) / (2^bits − 1), z = round(−lo / s),
    x_hat = s·(clip(round(x / s) + z, 0, 2^bits − 1) − z). Queries, keys, values and maps (Matthew-effect preserving: no logarithm
    and no split, so that near k = 1 the largest value has the top code) have a range a head. GELU's output as ``ptq4vit``.
    Weights: s = k·max|w| / (2^(bits−1) − 1), z = 0.
    Search, in ``convert``, block after block, its layers from last to first: the k with the smallest Σ (g·e)², e the error of the
    block's output where |e| is at least its quantile ``eliminate``, else 0, g the gradient of the loss with respect to that output;
    operands of attention's products at the product itself, head by head. The two sides by turns, ``rounds`` times. k ∈ [0.7, 1.1],
    of convolutions and operands ∈ [0.9, 1.2]. Inputs of a block are the float network's.
    Backward: dx = g inside the range, widened by half a step, else 0. Shapes: any → the same.
    Raises SpecError unless 0 ≤ eliminate < 1.

    Source: arXiv 2303.14341 (BBC and MPQ); constants: those of its public port.
    Differs from the paper: the loss is cross-entropy on a label drawn from the float network's own answer, since the distance
    to its own logits has no gradient there; the quantile is taken for each candidate; weights are symmetric; ranges hold 0;
    both ends of k are tried; first and last layer have 8 bits.
    Differs from the port: g is the gradient, not the output; the calibration by block is on.
    """

    eliminate: float = 0.1

    source: ClassVar[str] = "arXiv 2303.14341"
    version: ClassVar[int] = 2
    scored_at: ClassVar[str] = "block"
    defaults: ClassVar[dict[str, Any]] = {**POST_TRAINING, "per": "tensor", "products": "same"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.eliminate < 1:
            raise SpecError(f"apq-vit eliminate={self.eliminate:g} is outside 0 ≤ eliminate < 1. Type for example eliminate=0.1.")

    def shares(self) -> tuple[float, float]:
        """Return where k is sought; the weight of a convolution has its outputs before axis −2."""
        return NARROW if self.role == "weight" and self.axis < -2 else LINEAR

    @classmethod
    def at_operand(cls, operand: str) -> type[Quantizer]:
        """All operands have a range a head."""
        return APQOperand

    def eliminated(self) -> float:
        """Return the share of the errors that have no weight."""
        return self.eliminate


@dataclass(eq=False, repr=False, kw_only=True)
class APQOperand(PerHead, APQViT):
    """APQ-ViT's queries, keys, values and maps: a range a head; see ``APQViT``."""

    def shares(self) -> tuple[float, float]:
        """Return where k is sought."""
        return NARROW
