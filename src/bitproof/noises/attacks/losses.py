"""What a gradient attack climbs: one number a sample, larger where the network is closer to a mistake."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

#: Logits and labels → N values to be raised.
Loss = Callable[[Tensor, Tensor], Tensor]

#: Keeps a quotient of logits finite where all of them are equal.
TINY = 1e-12


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """−log softmax(z)_y of each sample, N×classes and N → N."""
    return F.cross_entropy(z, y, reduction="none")


def margin(z: Tensor, y: Tensor) -> Tensor:
    """max_{j≠y} z_j − z_y: positive exactly where the sample is misclassified. Source: 1608.04644 §IV-A (f₆, unclipped)."""
    others = z.scatter(1, y[:, None], -torch.inf).amax(dim=1)
    return others - _at(z, y)


def dlr(z: Tensor, y: Tensor) -> Tensor:
    """(max_{j≠y} z_j − z_y) / (z_π1 − z_π3), π sorting the logits downwards; no scale or shift of z changes it.

    Needs 3 classes or more. Source: 2003.01690 equation 6.
    """
    top = z.topk(3, dim=1).values
    return margin(z, y) / (top[:, 0] - top[:, 2] + TINY)


def targeted_dlr(z: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """(z_t − z_y) / (z_π1 − (z_π3 + z_π4)/2) towards the class t. Needs 4 classes or more. Source: 2003.01690 equation 7."""
    top = z.topk(4, dim=1).values
    return (_at(z, target) - _at(z, y)) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + TINY)


def tempered(loss: Loss, temperature: float) -> Loss:
    """Return ``loss`` of z / temperature: above 1 it wakes the gradient of a saturated softmax. Source: 2003.13511 §3."""
    return loss if temperature == 1 else lambda z, y: loss(z / temperature, y)


def _at(z: Tensor, classes: Tensor) -> Tensor:
    return z.gather(1, classes[:, None])[:, 0]


LOSSES: dict[str, Loss] = {"ce": cross_entropy, "dlr": dlr, "margin": margin}
