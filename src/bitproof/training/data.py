"""From samples to batches: the order of every epoch, its cut into steps, and the batches themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bitproof.core import DataError, ShapeError, SpecError, seed
from bitproof.training.augment import augmented
from bitproof.training.settings import Training


class Samples(Protocol):
    """What can be trained on: a map-style data set whose sample is (x float 3×H×W in [0, 1], label), or as ``Finished`` says."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        """One sample."""


@runtime_checkable
class Batched(Protocol):
    """Samples that are faster together."""

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return (x uint8 or float in [0, 1] N×3×H×W, labels N)."""


@runtime_checkable
class Finished(Protocol):
    """Samples that are no pictures: tensors of any shape, finite numbers or integers."""

    def finish(self, x: Tensor) -> Tensor:
        """Return what the network takes of a batch, which was augmented before."""


@runtime_checkable
class Mixing(Protocol):
    """Samples that a noise can be mixed into."""

    def mixed(self, x: Tensor, spec: str, seeds: Sequence[int]) -> Tensor:
        """Return the batch, of which each sample, by a chance of 1/2, is under the noise ``spec``; its seed draws both."""


@dataclass(frozen=True)
class Cut:
    """The samples of one forward pass of this process: their epoch and step, the share of the step, and whether they end it."""

    epoch: int
    step: int
    indices: tuple[int, ...]
    share: float
    last: bool


def steps_per_epoch(samples: int, settings: Training) -> int:
    """Return the number of optimizer steps that an epoch of ``samples`` takes."""
    return -(-samples // (settings.batch_size * settings.accumulate))


@dataclass(frozen=True)
class Order:
    """The cuts of a whole training, from step ``start`` on.

    Epoch e is the permutation of ``seed(run_seed, "order", e)``, cut into steps and these into batches whose sizes differ by at
    most one: no batch is left with a single sample, which batch normalisation could not bear. ``split`` picks this process's part.
    """

    samples: int
    settings: Training
    seed: int
    start: int
    split: Callable[[list[int]], list[int]]

    def __iter__(self) -> Iterator[Cut]:
        per_epoch = steps_per_epoch(self.samples, self.settings)
        for epoch in range(self.start // per_epoch, self.settings.epochs):
            generator = torch.Generator().manual_seed(seed(self.seed, "order", epoch))
            steps = torch.randperm(self.samples, generator=generator).tensor_split(per_epoch)
            for step, indices in enumerate(steps, epoch * per_epoch):
                if step >= self.start:
                    yield from self._batches(epoch, step, indices)

    def _batches(self, epoch: int, step: int, indices: Tensor) -> Iterator[Cut]:
        parts = indices.tensor_split(-(-len(indices) // self.settings.batch_size))
        for i, part in enumerate(parts):
            yield Cut(epoch, step, tuple(self.split(part.tolist())), len(part) / len(indices), i == len(parts) - 1)


class _Batches(Dataset[tuple[Cut, Tensor, Tensor]]):
    """Fetches, checks and augments the samples of a cut."""

    def __init__(self, data: Samples, settings: Training, run_seed: int) -> None:
        self.data, self.settings, self.seed = data, settings, run_seed
        if settings.mix is not None and not isinstance(data, Mixing):
            raise SpecError(f"Training: mix={settings.mix!r} is for recordings; {type(data).__name__} has no method mixed.")

    def __getitem__(self, cut: Cut) -> tuple[Cut, Tensor, Tensor]:
        x, y = self._fetch(cut.indices)
        n, finish = len(cut.indices), self.data.finish if isinstance(self.data, Finished) else None
        _check_batch(x, y, n, "N×…" if finish else "N×3×H×W", finish is not None or x.ndim == 4)
        if finish is None:
            _check_range(x)
        x = augmented(x, self.settings.augment, self.seed, cut.epoch, cut.indices, self.settings.jitter)
        if self.settings.mix is not None and isinstance(self.data, Mixing):
            x = self.data.mixed(x, self.settings.mix, [seed(self.seed, "mix", cut.epoch, index) for index in cut.indices])
        return cut, x if finish is None else _finite(finish(x)), y

    def _fetch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        if isinstance(self.data, Batched):
            return self.data.batch(indices)
        samples = [self.data[index] for index in indices]
        return _stacked([x for x, _ in samples]), torch.tensor([y for _, y in samples])


def _stacked(pictures: list[Tensor]) -> Tensor:
    found = {str(tuple(x.shape)) if isinstance(x, Tensor) else type(x).__name__ for x in pictures}
    if len(found) > 1 or not isinstance(pictures[0], Tensor):
        raise ShapeError(f"Training pictures must be tensors of one shape to make a batch, found {', '.join(sorted(found))}.")
    return torch.stack(pictures)


def _check_batch(x: Tensor, y: Tensor, n: int, wanted: str, fits: bool) -> None:
    if not fits or len(x) != n or tuple(y.shape) != (n,):
        found = f"x {'×'.join(map(str, x.shape))} and y {'×'.join(map(str, y.shape))}"
        raise ShapeError(f"A training batch of {n} must be x {wanted.replace('N', str(n))} and y {n}, found {found}.")
    if y.is_floating_point() and not bool(y.isfinite().all()):
        raise ShapeError("Training targets must be finite numbers, found NaN or infinity.")


def _finite(x: Tensor) -> Tensor:
    if not x.isfinite().all():
        raise ShapeError("Training samples must be finite numbers, found NaN or infinity.")
    return x


def _check_range(x: Tensor) -> None:
    if x.dtype == torch.uint8:
        return
    if not x.is_floating_point():
        raise ShapeError(f"Training pictures must be uint8, or float in [0, 1], found {x.dtype}.")
    low, high = (float(end) for end in x.aminmax())
    if not (low >= 0 and high <= 1):
        raise ShapeError(
            f"Training pictures must lie in [0, 1], found values from {low:.4g} to {high:.4g}. Normalisation by mean and "
            "standard deviation belongs inside the model; 8-bit values must come as uint8."
        )


def to_float(x: Tensor) -> Tensor:
    """uint8 → float32 in [0, 1]; float becomes float32; other whole numbers, which are names of something, stay."""
    if x.dtype == torch.uint8:
        return x.float().div_(255)
    return x.float() if x.is_floating_point() else x


def check_not_empty(data: Samples) -> None:
    """Raise DataError if there is nothing to train on."""
    if len(data) == 0:
        raise DataError("The training data hold no sample; at least one is needed. Look at what the data set's path leads to.")


def batches(data: Samples, order: Order, workers: int, pin: bool) -> DataLoader[Any]:
    """Return the loader of (cut, x, y), the next ones made by ``workers`` processes while one is used (0: made in this one)."""
    source = _Batches(data, order.settings, order.seed)
    generator = torch.Generator().manual_seed(seed(order.seed, "workers"))
    return DataLoader(source, sampler=order, batch_size=None, num_workers=workers, pin_memory=pin, generator=generator)
