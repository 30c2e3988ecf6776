"""Samples made in threads while the network is busy, and an account of where the time went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import torch
from numpy.typing import NDArray

from bitproof.bench.inputs import Pipeline
from bitproof.tasks import Sample

#: Batches that are made beyond the one in use.
BATCHES_AHEAD = 2


@dataclass
class Times:
    """Seconds of one cell. ``pictures_s`` is summed over threads and runs beside the others; ``waiting_s`` is what it held up."""

    samples: int = 0
    pictures_s: float = 0.0
    waiting_s: float = 0.0
    network_s: float = 0.0

    def __iadd__(self, other: Times) -> Times:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def as_dict(self) -> dict[str, Any]:
        """The same, by name, in milliseconds' precision."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Job:
    """The pictures of one cell: ``samples`` through ``pipeline`` in batches of ``size``."""

    key: str
    pipeline: Pipeline
    samples: Sequence[Sample]
    size: int

    @property
    def chunks(self) -> list[list[Sample]]:
        """The samples of each batch."""
        return [list(self.samples[i : i + self.size]) for i in range(0, len(self.samples), self.size)]


class Ahead:
    """Makes pictures in ``workers`` threads, ahead of the network: the next batches, and at a cell's end the next cell's first.

    OpenCV, Pillow, NumPy's generators and torch let go of Python's lock while they work, so threads run side by side and share
    the cache of pictures. Which thread makes a picture changes nothing in it.
    """

    def __init__(self, workers: int) -> None:
        self._pool, self._buffers = ThreadPoolExecutor(max_workers=workers), _Buffers()
        self._begun: dict[str, _Making] = {}

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def batches(
        self, job: Job, times: Times, following: Callable[[], Job | None] = lambda: None
    ) -> Iterator[tuple[list[Sample], torch.Tensor]]:
        """Yield (samples, what the network takes) and keep ``times``; ``following`` names the job that is begun at the end.

        A batch holds until the next one is asked for; then its memory is filled anew.
        """
        making = self._begun.pop(job.key, None) or _Making(job, self._pool, self._buffers)
        self._drop()
        try:
            for i, chunk in enumerate(making.chunks):
                making.go_on(i + 1 + BATCHES_AHEAD)
                if i + 1 + BATCHES_AHEAD >= len(making.chunks) and not self._begun:
                    self._begin(following())
                start = time.perf_counter()
                x = making.take(i)
                used = time.perf_counter()
                times.waiting_s += used - start
                yield chunk, x
                times.network_s += time.perf_counter() - used
                times.samples += len(chunk)
                self._buffers.give_back(x)
        finally:
            times.pictures_s += making.seconds
            making.cancel()

    def _begin(self, job: Job | None) -> None:
        if job is not None:
            self._begun[job.key] = making = _Making(job, self._pool, self._buffers)
            making.go_on(BATCHES_AHEAD)

    def _drop(self) -> None:
        """Forget what was begun and not asked for: its cell failed before it came to its pictures."""
        for making in self._begun.values():
            making.cancel()
        self._begun.clear()


def batches(pipeline: Pipeline, samples: Sequence[Sample], size: int, workers: int) -> Iterator[tuple[list[Sample], torch.Tensor]]:
    """Yield (samples, what the network takes) of one job by itself; each batch is the caller's to keep."""
    with Ahead(workers) as ahead:
        for chunk, x in ahead.batches(Job("", pipeline, samples, size), Times()):
            yield chunk, x.clone()


class _Buffers:
    """Batches to be filled again. Fresh ones each time would leave holes in the heap that nothing else fits into."""

    def __init__(self) -> None:
        self._free: list[torch.Tensor] = []

    def take(self, dtype: torch.dtype, *shape: int) -> torch.Tensor:
        """Return a batch of this shape, its values whatever they are."""
        fitting = next((x for x in self._free if x.shape == shape and x.dtype == dtype), None)
        if fitting is None:
            return torch.empty(*shape, dtype=dtype)
        self._free = [x for x in self._free if x is not fitting]
        return fitting

    def give_back(self, x: torch.Tensor) -> None:
        """Take back a batch that is used no more; no more are kept than can be on their way at once."""
        self._free = [*self._free, x][-BATCHES_AHEAD - 1 :]


class _Making:
    """The pictures of a job, some of them on their way."""

    def __init__(self, job: Job, pool: ThreadPoolExecutor, buffers: _Buffers) -> None:
        self.chunks, self.seconds, self._buffers = job.chunks, 0.0, buffers
        self._pipeline, self._pool, self._lock = job.pipeline, pool, Lock()
        self._pending: list[tuple[torch.Tensor, list[Future[None]]]] = []

    def go_on(self, batches: int) -> None:
        """Have the first ``batches`` made, or all."""
        for chunk in self.chunks[len(self._pending) : batches]:
            x = self._buffers.take(self._pipeline.dtype, len(chunk), *self._pipeline.shape)
            made = [self._pool.submit(self._make, sample, row) for sample, row in zip(chunk, x.numpy(), strict=True)]
            self._pending.append((x, made))

    def take(self, i: int) -> torch.Tensor:
        """Return batch ``i`` once its pictures are made, and keep it no longer."""
        (x, futures), self._pending[i] = self._pending[i], (torch.empty(0), [])
        for future in futures:
            future.result()
        return x

    def cancel(self) -> None:
        """Make no more of it."""
        for _, futures in self._pending:
            for future in futures:
                future.cancel()

    def _make(self, sample: Sample, row: NDArray[Any]) -> None:
        """Fill ``row`` with the sample. It is done here, since the network would wait for a whole batch of it."""
        start = time.perf_counter()
        self._pipeline.fill(row, self._pipeline.made(sample))
        with self._lock:
            self.seconds += time.perf_counter() - start
