"""Batches for what takes one number of samples alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_pieces(run: Callable[[Tensor], Tensor], x: Tensor, batch: int | None) -> Tensor:
    """Return ``run`` of all samples, in pieces of ``batch``, None for any; the last piece is filled up with zeros."""
    if batch is None:
        return run(x)
    pieces = [run(_filled(piece, batch))[: len(piece)] for piece in torch.split(x, batch)]
    return torch.cat(pieces)


def _filled(x: Tensor, batch: int) -> Tensor:
    return x if len(x) == batch else torch.cat([x, x.new_zeros(batch - len(x), *x.shape[1:])])
