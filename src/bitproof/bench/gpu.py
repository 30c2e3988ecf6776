"""What a plan takes of GPUs: of the one that is here by the clock, else of a named one by its multiply-adds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from bitproof.bench.costs import NetworkCosts
from bitproof.bench.fits import Fit
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.inputs import probe_of
from bitproof.bench.kind import OnDevice
from bitproof.convert import as_opened
from bitproof.models import Network

#: Seconds on one core of a CPU from which a grid is one for GPUs.
LONG_S = 24 * 3600


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU: its peak in operations a second, a multiply-add being two, and the share of it that networks reach."""

    name: str
    peak: float
    used: float

    def hours(self, flop: float) -> float:
        """Return the hours that so many operations take."""
        return flop / (self.peak * self.used) / 3600


#: Source: NVIDIA's data sheet of the A100 (FP32, not TF32). The share is a guess for convolutional networks, good to a factor of 2.
A100 = Gpu("A100", 19.5e12, 0.3)


class Counted(NetworkCosts):
    """The parts of a plan in operations: 2 a multiply-add of a forward, three forwards a training step; fake quantization is free.

    Source: forward and backward of a product are three products of its size.
    """

    low_bit: ClassVar[float] = 1.0
    training: ClassVar[float] = 3.0

    def __init__(self, measured: NetworkCosts) -> None:
        super().__init__(measured.plan)
        self._standing = measured._standing  # the short attacks are not run again

    @cached_property
    def forward_s(self) -> dict[str, float]:
        """Operations of one sample, a model, in the place of seconds."""
        return {model: flop_of(network) for model, network in self.plan.networks.items()}


def flop_of(network: Network) -> float:
    """Return the operations of a forward of one sample, two a multiply-add; 0 where they cannot be counted."""
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            as_opened(network.module)(probe_of(network)[:1])
    except Exception:  # its cells will fail, and tell why
        return 0.0
    return float(counter.get_total_flops())


def work_of(costs: NetworkCosts, made: Collection[Variant], fits: Collection[Fit], cells: Collection[Cell]) -> OnDevice:
    """Return what networks run for: trainings, and cells with the fits of their defenses; not what only the CPU does."""
    trainings = sum(costs.variant_s(variant) for variant in made if variant.recipe.trains)
    return OnDevice(trainings, sum(map(costs.fit_s, fits)) + sum(map(costs.cell_s, cells)))
