"""Unadversarial examples: a square that is fitted on pictures of its class, wherever it is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.core import Batches, Victim
from bitproof.defenses.geometry import paste
from bitproof.defenses.moves import Moves, matrices, moved, photographed
from bitproof.defenses.patch import (
    Patches,
    PatchSettings,
    check_least,
    check_victims,
    generator,
    labelled,
    rows_of,
    step_,
    victims_loss,
)


def stuck(x: Tensor, pattern: Tensor, mask: Tensor, moves: Moves, draw: Generator) -> Tensor:
    """Put N patterns on N pictures, each turned, scaled and shifted by itself; then light it."""
    sticker = torch.cat([pattern, mask.to(pattern).expand(len(pattern), 1, *mask.shape)], dim=1)
    if not moves.still:
        sticker = moved(sticker, matrices(moves, len(x), draw), padding="zeros")
        sticker = torch.cat([sticker[:, :3] / sticker[:, 3:].clamp_min(1e-3), sticker[:, 3:]], dim=1)
    placed = paste(x, sticker[:, :3].clamp(0, 1), sticker[:, 3:])
    return photographed(placed, Moves(brightness=moves.brightness), draw)


@dataclass(frozen=True)
class Unadversarial(PatchSettings):
    """Unadversarial patch: a square, one a class, fitted on pictures of that class so that their loss falls.

    argmin_P E_{x, t}[−log p_y(x ⊕ t(P_y))], y the true class, t a random turn, scale and shift of the square.
    N×3×S×S in [0, 1] → N×3×S×S; applied at its own place, not moved.

    Args: those of ``PatchSettings``, with a corner in the place of the ring; epochs, lr: of Adam, for values in [0, 1].
    Raises SpecError for settings out of range and victims without a gradient, DataError without fitting pictures.
    Source: arXiv 2012.12235 (NeurIPS 2021) and microsoft/unadversarial (size 10 px at 32, turns of 45°, scales 0.9 to 1.1, shifts
    of 0.3). Differs from the paper: fewer, larger steps on fewer pictures; applied at one place.
    """

    shape: str = "corner"
    rotate: float = 45.0
    shear: float = 0.0
    shift: float = 0.3
    epochs: int = 5
    lr: float = 0.015

    source: ClassVar[str] = "arXiv 2012.12235"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, "epochs")
        check_least(self, "lr", least=1e-9)

    @property
    def pictures(self) -> int:
        """How many labelled pictures it is fitted on."""
        return self.n

    def bill(self, victims: int) -> int:
        """Gradients of a single picture that a fit takes, all ``victims`` together."""
        return victims * self.epochs * self.n

    def fit(self, victims: Sequence[Victim], batches: Batches) -> Patches:
        """Return one pattern a class."""
        check_victims(victims)
        mask, draw = self.mask(batches.size), generator(batches, "unadversarial")
        pattern = torch.full((len(batches.labels), 3, *mask.shape), 0.5).requires_grad_()
        optimizer = torch.optim.Adam([pattern], lr=self.lr)
        data = [(x, y, rows_of(y, batches.labels)) for x, y in labelled(batches)]
        for _ in range(self.epochs):
            for x, y, rows in data:
                step_(optimizer, pattern, victims_loss(victims, stuck(x, pattern[rows], mask, self.moves, draw), y))
        return Patches(pattern.detach(), mask, batches.labels)
