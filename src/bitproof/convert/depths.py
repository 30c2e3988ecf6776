"""Thinnable networks: which module of one can run at another depth, and the network there."""

from __future__ import annotations

import copy

from torch import nn

from bitproof.convert.fold import Folded
from bitproof.core import ModelError, SpecError, Thinnable


def thinnable(network: nn.Module) -> Thinnable | None:
    """Return the module of ``network`` whose depth can be switched, None where there is none."""
    # Classes are asked: a wrapper that passes on attributes is not what they belong to.
    return next((m for m in network.modules() if isinstance(m, Thinnable) and hasattr(type(m), "set_depth")), None)


def thin_(network: nn.Module, depth: int) -> None:
    """Run ``network`` at ``depth`` from now on.

    Raises SpecError where it has one depth alone, or not this one; ModelError where batch norms of its own depth were folded.
    """
    found = thinnable(network)
    if found is None or len(found.depths) == 1:
        raise SpecError(
            "The network has one depth. A thinnable one is bifsmn; 'bitproof export … --packed --depths 8,4,2,1' writes several of "
            "its depths."
        )
    if depth in found.depths and depth != found.depth and any(isinstance(m, Folded) for m in network.modules()):
        raise ModelError("Batch norms of one depth were folded into layers that all depths share. Take a recipe with fold=false.")
    found.set_depth(depth)


def at_depth(network: nn.Module, depth: int) -> nn.Module:
    """Return a copy of ``network`` that runs at ``depth``. Raises as ``thin_``."""
    changed = copy.deepcopy(network)
    thin_(changed, depth)
    return changed
