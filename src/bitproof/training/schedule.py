"""The learning rate of every step."""

from __future__ import annotations

import math

from bitproof.training.settings import Training


def learning_rate(settings: Training, step: int, per_epoch: int) -> float:
    """Return the rate of optimizer step ``step`` = 0, 1, … of a run with ``per_epoch`` steps an epoch.

    With W = warmup_epochs · per_epoch, T = epochs · per_epoch and s = (step − W)/(T − W):
    ``warmup_lr + (lr − warmup_lr)·step/W`` before W, then by ``schedule``

    - cosine: ``min_lr + (lr − min_lr)·(1 + cos(π·s))/2``
    - linear: ``min_lr + (lr − min_lr)·(1 − s)``
    - step: ``lr·decay^k``, k the number of milestones m with m · per_epoch ≤ step
    - constant: ``lr``

    With two stages each has a T of its own, and its steps are counted from its start.
    """
    warmup = settings.warmup_epochs * per_epoch
    first = settings.two_stage * per_epoch
    total = first if step < first else settings.epochs * per_epoch - first
    step -= first if step >= first else 0
    if step < warmup:
        return settings.warmup_lr + (settings.lr - settings.warmup_lr) * step / warmup
    if settings.schedule in ("constant", "step"):
        return settings.lr * settings.decay ** sum(milestone * per_epoch <= step for milestone in settings.milestones)
    share = (step - warmup) / (total - warmup)
    left = 1 - share if settings.schedule == "linear" else (1 + math.cos(math.pi * share)) / 2
    return settings.min_lr + (settings.lr - settings.min_lr) * left
