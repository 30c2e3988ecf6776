"""What the ways of clips, sentences and clouds have in common: the occupants of their sites, and samples that are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bitproof.bench.cache import SampleCache
from bitproof.noises import noise
from bitproof.tasks import Sample, Task

#: Training samples that weigh more are made anew in every epoch.
LIMIT_BYTES = 8 << 30


@dataclass(frozen=True)
class Way:
    """A sample's way in one cell. ``run_seed`` draws what its noises draw."""

    task: Task
    form: Any
    noises: Sequence[str]
    run_seed: int
    cache: SampleCache

    @cached_property
    def occupants(self) -> dict[str, str]:
        """Site → spec: the clean occupants, replaced by the noises that stand at their site."""
        return {**self.task.clean(self.form), **{noise(spec).site: spec for spec in self.noises}}

    @cached_property
    def _built(self) -> dict[str, Any]:
        return {site: noise(spec) for site, spec in self.occupants.items()}


class KeptSamples(ABC, torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Clean training samples, kept where they fit into memory. A subclass says how they are made, and what is taken of a batch."""

    def __init__(self, pipeline: Any, workers: int, sample_bytes: int) -> None:
        self.pipeline, self.pool = pipeline, ThreadPoolExecutor(max_workers=workers)
        self.samples: Sequence[Sample] = pipeline.task.data.samples
        self.y = torch.tensor([sample.label for sample in self.samples])
        self.kept = self.made(self.samples) if len(self.samples) * sample_bytes <= LIMIT_BYTES else None

    @abstractmethod
    def made(self, samples: Sequence[Sample]) -> Tensor:
        """Return the samples in one tensor."""

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        x, y = self.batch([index])
        return x[0], int(y[0])

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the samples and labels, N, of ``indices``."""
        rows = torch.as_tensor(indices)
        return self.made([self.samples[i] for i in indices]) if self.kept is None else self.kept[rows], self.y[rows]
