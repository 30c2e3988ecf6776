"""HotFlip: words exchanged where the gradient says that it hurts most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from bitproof.core import Attacked, SpecError, Worded


def gains(gradient: Tensor, held: Tensor, words: Tensor) -> Tensor:
    """Return (w − e)·∇ₑL, the first-order gain of every exchange: N×T×d, N×T×d and V×d → N×T×V."""
    return gradient @ words.T - (gradient * held).sum(-1, keepdim=True)


def alike(held: Tensor, unit: Tensor, least: float) -> Tensor:
    """Return which words, of length one, have a cosine of at least ``least`` with the one that stands there, N×T×V."""
    return functional.normalize(held, dim=-1) @ unit.T >= least


@dataclass(frozen=True)
class HotFlip:
    """Exchanges one word after the other, each time the one whose gradient promises most, until the answer is wrong.

    At each step: argmax over free positions i and words w of (E_w − E_{x_i})·∇_{e_i} L; w is a whole word whose embedding in the
    attacked network has a cosine of at least ``similar`` with the old one. A position is changed once.
    Shapes: embeddings N×T×(width + 3) → the same. Raises SpecError unless 0 < share ≤ 1 and −1 ≤ similar < 1.

    Args:
        share: of a text's words that may be exchanged, at least one.
        similar: least cosine.
        grad: gradient mode.

    Source: arXiv 1712.06751 §3 and §5 (words).
    Differs from the paper: greedy, without a beam; the cosine is its own constraint at 0.8, here 0.5; stop words may be exchanged.
    """

    share: float = 0.2
    similar: float = 0.5
    grad: str = "ste"

    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    needs_gradient: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 1712.06751"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not -1 <= self.similar < 1:
            raise SpecError(f"hotflip: share={self.share}, similar={self.similar}; 0 < share ≤ 1 and −1 ≤ similar < 1 are needed.")

    def __call__(self, victim: Worded, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack a batch; it draws nothing."""
        if not isinstance(victim, Worded):
            raise SpecError("hotflip exchanges words, and this network has none.")
        victim = victim.with_gradient(self.grad)
        x, free, words = x.clone(), victim.free(x), victim.words
        unit = functional.normalize(words, dim=-1)
        left = (free.sum(1) * self.share).ceil().long()
        asked = torch.zeros_like(y, dtype=torch.long)
        for _ in range(int(left.max()) if len(left) else 0):
            rows = ((victim.decide(x) == y) & (left > 0) & free.any(1)).nonzero().flatten()
            if not len(rows):
                break
            asked[rows] += 1
            x[rows], changed = self._exchange(victim, x[rows], y[rows], free[rows], words, unit)
            free[rows] &= ~changed & changed.any(1, keepdim=True)  # where nothing promises anything, nothing will
            left[rows] -= 1
        return Attacked(x, victim.decide(x) != y, 2 * asked + 1, asked)

    def _exchange(self, victim: Worded, x: Tensor, y: Tensor, free: Tensor, words: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Exchange the best word of each sample that has a free one; return where, N×T."""
        with torch.enable_grad():
            moved = x.detach().requires_grad_()
            gradient = torch.autograd.grad(victim.loss(moved, y).sum(), moved)[0]
        width = words.shape[1]
        held, tokens = x[..., :width], victim.tokens(x)
        score = gains(gradient[..., :width], held, words)
        barred = ~alike(held, unit, self.similar) | victim.fixed | ~free[..., None]
        barred.scatter_(2, tokens[..., None], True)
        best, where = score.masked_fill(barred, -torch.inf).flatten(1).max(1)
        position, word = where // words.shape[0], where % words.shape[0]
        changed = torch.zeros_like(free)
        changed[torch.arange(len(x)), position] = best > 0
        return victim.exchange(x, torch.where(changed, word[:, None], tokens)), changed
