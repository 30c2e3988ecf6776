"""DefensivePatch: a ring that identifies its class by itself, made to share colours with the picture over several networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.core import Batches, Victim
from bitproof.defenses.geometry import paste
from bitproof.defenses.moves import Moves, photographed
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

#: Outer epochs after which the rate of the correlation step falls to a third. Source: the released code (see the class).
MILESTONES = (3, 8, 15, 25, 40, 60, 90, 140)

#: Pictures of a step on the local prior.
PRIOR_BATCH = 32


def prior(
    victims: Sequence[Victim], mask: Tensor, labels: Sequence[int], steps: int, lr: float, moves: Moves, draw: Generator
) -> Tensor:
    """Stage 1: argmin_P E[−log p_y(P_y on grey)], K×3×S×S in [0, 1]; Adam from 0.5 + N(0, 1)/200."""
    pattern = (0.5 + torch.randn(len(labels), 3, *mask.shape, generator=draw) / 200).requires_grad_()
    optimizer, classes = torch.optim.Adam([pattern], lr=lr), torch.tensor(labels)
    for _ in range(steps):
        rows = torch.randint(len(labels), (PRIOR_BATCH,), generator=draw)
        x = paste(torch.full((PRIOR_BATCH, 3, *mask.shape), 0.5), pattern[rows], mask)
        step_(optimizer, pattern, victims_loss(victims, photographed(x, moves, draw), classes[rows]))
    return pattern.detach()


def specialist(victim: Victim, start: Tensor, data: Data, lr: float, moves: Moves, draw: Generator) -> Tensor:
    """One epoch of Adam on −log p_y(x ⊕ P_y) for one network alone, from ``start``."""
    pattern = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([pattern], lr=lr)
    for x, y, rows in data.batches:
        seen = photographed(paste(x, pattern[rows], data.mask), moves, draw)
        step_(optimizer, pattern, victims_loss([victim], seen, y))
    return pattern.detach()


def correlation_distance(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """mean_{ij}(G(a) − G(b))² of each picture, G(x) = F_Rᵀ F over the colours of ring and picture: N×3×S×S twice → N.

    F is 3×S² in [−1, 1] and F_R its columns in the ring. G has |R|·S² entries, and is never made: ⟨F_RᵀF, F'_RᵀF'⟩ =
    Σ (F_R F'_Rᵀ) ⊙ (F F'ᵀ), sums over 3×3.
    """
    whole = [(2 * x.double() - 1).flatten(2) for x in (a, b)]
    rings = [features[:, :, mask.flatten()] for features in whole]

    def inner(i: int, j: int) -> Tensor:
        return ((rings[i] @ rings[j].mT) * (whole[i] @ whole[j].mT)).sum(dim=(1, 2))

    return (inner(0, 0) - 2 * inner(0, 1) + inner(1, 1)) / (rings[0].shape[2] * whole[0].shape[2])


def correlated(start: Tensor, specialists: Sequence[Tensor], data: Data, lr: float) -> Tensor:
    """One epoch of Adam that moves ``start`` to where its colour correlations are those of the ``specialists``."""
    pattern = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([pattern], lr=lr)
    for x, _, rows in data.batches:
        mine = paste(x, pattern[rows], data.mask)
        far = [correlation_distance(mine, paste(x, theirs[rows], data.mask), data.mask).mean() for theirs in specialists]
        step_(optimizer, pattern, torch.stack(far).mean())
    return pattern.detach()


@dataclass(frozen=True)
class Data:
    """Pictures, classes and the rows of their patterns, by batch; and where the patterns lie."""

    batches: Sequence[tuple[Tensor, Tensor, Tensor]]
    mask: Tensor

    def right(self, victims: Sequence[Victim], pattern: Tensor) -> float:
        """The share of patched pictures that are right, the mean over victims."""
        hits = [
            (victim.decide(paste(x, pattern[rows], self.mask)) == y).float().mean()
            for x, y, rows in self.batches
            for victim in victims
        ]
        return float(torch.stack(hits).mean())


@dataclass(frozen=True)
class DefensivePatch(PatchSettings):
    """DefensivePatch: a ring around the object, one a class, that makes its class easier to see.

    x_d = x ⊙ (1 − M) + P_y ⊙ M, with y the true class: the sticker goes on a known object. N×3×S×S in [0, 1] → N×3×S×S.
    Stage 1, the local prior: P on grey, without an object, is made to be of its class (``steps`` of Adam at ``prior_lr``).
    Stage 2, the global correlation, ``epochs`` times: from P one epoch for each network alone, P_m; then P to
    min mean_m (G(x_d(P)) − G(x_d(P_m)))², G the correlation of colours between ring and picture. The P of the best training
    accuracy is kept. ``epochs=0`` leaves out stage 2, which needs pictures; ``steps=0`` the prior.

    Args: those of ``PatchSettings``; steps, prior_lr: of stage 1; epochs, lr: of stage 2. Rates are for values in [0, 1].
    Raises SpecError for settings out of range and victims without a gradient, DataError without fitting pictures.
    Source: arXiv 2204.06213 (CVPR 2022) and its released code for CIFAR-10 (geometry, losses, rates).
    Differs from the paper: the photographs (rotation, scale, shear, brightness) are used, there only defined; the prior is of all
    victims, there of one VGG19; it takes fewer, larger steps; a step on P is followed by the clip to [0, 1].
    """

    steps: int = 400
    prior_lr: float = 0.01
    epochs: int = 5
    lr: float = 0.015

    source: ClassVar[str] = "arXiv 2204.06213"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, "steps", "epochs", least=0)
        check_least(self, "prior_lr", "lr", least=1e-9)

    @property
    def pictures(self) -> int:
        """How many labelled pictures it is fitted on."""
        return self.n if self.epochs else 0

    def bill(self, victims: int) -> int:
        """Gradients of a single picture that a fit takes, all ``victims`` together."""
        return victims * (self.steps * PRIOR_BATCH + self.epochs * 2 * self.pictures)

    def fit(self, victims: Sequence[Victim], batches: Batches) -> Patches:
        """Return one pattern a class."""
        check_victims(victims)
        mask, known = self.mask(batches.size), labelled(batches) if self.epochs else []
        data = Data([(x, y, rows_of(y, batches.labels)) for x, y in known], mask)
        start = prior(victims, mask, batches.labels, self.steps, self.prior_lr, self.moves, generator(batches, "prior"))
        found = self._shared(victims, start, data, generator(batches, "photographs")) if self.epochs else start
        return Patches(found, mask, batches.labels)

    def _shared(self, victims: Sequence[Victim], start: Tensor, data: Data, draw: Generator) -> Tensor:
        """Stage 2."""
        pattern, lr = start, self.lr
        best, found = data.right(victims, start), start
        for epoch in range(self.epochs):
            lr = lr / 3 if epoch in MILESTONES else lr
            alone = [specialist(victim, pattern, data, self.lr, self.moves, draw) for victim in victims]
            pattern = correlated(pattern, alone, data, lr)
            right = data.right(victims, pattern)
            if right > best:
                best, found = right, pattern
        return found
