"""Batch norms that have seen the weather: their statistics, taken anew from noisy pictures without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Batches, Rewrite, SpecError, Victim
from bitproof.defenses.patch import check_least


@dataclass(frozen=True)
class BnReestimate:
    """Batch norms re-estimated on pictures under a noise, which the network need not be labelled for.

    μ ← (1 − weight)·μ + weight·μ', σ² likewise, μ' and σ'² the means over batches of pictures under ``noise``.

    Args:
        noise: what the pictures are put through: one noise, or a family, whose members they take in turn.
        n: how many, of the data that the network was trained or calibrated on.
        weight: share of the new statistics, above 0 to 1.
    Raises SpecError for settings out of range, ModelError for a network without batch norms (or with folded ones).
    Source: arXiv 2006.16971 equation 2; arXiv 2006.10963.
    Differs from the paper: the noise is named by the user and need not be the one that is met; statistics are those of training
    or calibration pictures, not of the test's.
    """

    noise: str
    n: int = 512
    weight: float = 1.0

    site: ClassVar[str] = "model"
    fitted: ClassVar[bool] = False
    knows_label: ClassVar[bool] = False
    source: ClassVar[str] = "arXiv 2006.16971"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_least(self, "n", least=2)
        if not 0 < self.weight <= 1:
            raise SpecError(f"weight={self.weight} is out of range: above 0 to 1.")

    def fit(self, victims: Sequence[Victim], batches: Batches) -> Callable[[Rewrite], Any]:
        """Return what changes the network."""
        return lambda rewrite: rewrite.reestimate([x for x, _ in batches.pictures], self.weight)
