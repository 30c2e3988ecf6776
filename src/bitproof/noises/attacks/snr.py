"""Attacks on a wave within a signal-to-noise ratio: a ball in ℓ2 whose radius is a share of the wave's own length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.noises.attacks.control import RandomNoise
from bitproof.noises.attacks.norms import L2, over
from bitproof.noises.attacks.pgd import Pgd


def loudness(x: Tensor) -> Tensor:
    """‖x‖₂ of each sample, at least 10⁻³, to be multiplied with N×…: silence is left something to be attacked in."""
    return over(L2().length(x).clamp_min(1e-3), x)


@dataclass(frozen=True)
class PgdSnr(Pgd):
    """PGD on a wave: steps along g/‖g‖₂, ‖δ‖₂ at most eps·‖x‖₂, a signal-to-noise ratio of −20·log₁₀ eps dB or more.

    x ← clip(x₀ + δ·min(1, eps·‖x₀‖₂/‖δ‖₂)) with δ = x + step·‖x₀‖₂·∇ₓL/‖∇ₓL‖₂ − x₀, N×L → N×L; the gradient goes through the
    front end.
    Args: eps: share of the wave's length: 0.1 is 20 dB, 0.01 is 40 dB; step in the same units; else as the other norms.
    Source: 1706.06083 §2.1; budgets in dB as of 1801.01944. Differs from the paper: stops at the first success where ``keep=best``.
    """

    norm: ClassVar[L2] = L2()
    kinds: ClassVar[tuple[str, ...]] = ("keyword",)

    def scale(self, clean: Tensor) -> Tensor:
        """‖x₀‖₂."""
        return loudness(clean)

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Shrink to the ball of this wave."""
        radius = self.eps * loudness(clean)
        return (clean + radius * self.norm.project(delta / radius.clamp_min(1e-12), 1.0)).clamp(*bounds)


class NoiseSnr(RandomNoise):
    """White noise of ‖δ‖₂ = eps·‖x‖₂: as large as the attack, in no direction that matters.

    x' = clip(x + eps·‖x‖₂·r/‖r‖₂), r normal, N×L → N×L. Source: 1902.06705 §5 (the control it asks for).
    Differs from the paper: nothing; the distribution is not prescribed there.
    """

    norm: ClassVar[L2] = L2()
    kinds: ClassVar[tuple[str, ...]] = ("keyword",)

    def scale(self, clean: Tensor) -> Tensor:
        """‖x₀‖₂."""
        return loudness(clean)

    def direction(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw a point of the unit sphere."""
        return L2().direction(torch.randn(1, *shape, generator=generator))[0]
