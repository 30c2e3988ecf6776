"""The way of one picture up to the tensor site: decode → resize → color → image, with a bounded memory of what was made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitproof.bench.preprocess import preprocess
from bitproof.core import DataError, Geometry, ModelError, ShapeError, seed
from bitproof.noises import noise
from bitproof.tasks import Sample, Task

Picture = NDArray[np.uint8]


class PictureCache:
    """Pictures by key, least recently used out first once they weigh more than ``limit_bytes``."""

    def __init__(self, limit_bytes: int = 1 << 30) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[Any, ...], Picture] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], Picture]) -> Picture:
        """Return the picture under ``key``, made by ``make`` if it is not kept. Callers must not write into it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = make()
        picture.flags.writeable = False
        with self._lock:
            if key not in self._kept:
                self._kept[key] = picture
                self._bytes += picture.nbytes
            while self._bytes > self.limit_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return picture


@dataclass(frozen=True)
class Pipeline:
    """The occupants of an image's first four sites for one cell."""

    task: Task
    geometry: Geometry
    noises: tuple[str, ...]
    run_seed: int
    cache: PictureCache

    @cached_property
    def occupants(self) -> dict[str, str]:
        """Site → spec: the clean occupants, replaced by the noises that stand at their site.

        The user's own preprocessing is decoder and resizer at once: where a noise replaces one, bitproof's own is the other.
        """
        standing, own = {noise(spec).site: spec for spec in self.noises}, self.geometry.preprocess
        clean = {"decode": own} if own and not {"decode", "resize"} & {*standing} else self.task.clean(self.geometry)
        return {**clean, **standing}

    @cached_property
    def _built(self) -> dict[str, Any]:
        own, size = self.geometry.preprocess, self.geometry.size
        return {site: preprocess(spec, size) if spec == own else noise(spec) for site, spec in self.occupants.items()}

    @cached_property
    def _canvas(self) -> Geometry:
        """The crop that colour and image noises are given: the model's, or all that was scaled where the picture is moved."""
        if "resize" not in self._built or not getattr(self._built.get("image"), "uncropped", False):
            return self.geometry
        scaled = getattr(self._built["resize"], "resize", None) or self.geometry.resize
        return replace(self.geometry, size=scaled, resize=scaled)

    def picture(self, sample: Sample) -> Picture:
        """Return uint8 size×size×3. Raises DataError naming the sample that cannot be read."""
        at = self.occupants
        sized_key = (self.task.data.digest, sample.id, at["decode"], at.get("resize"), self._canvas)
        sized = self.cache.get(sized_key, lambda: self._sized(sample))
        later = tuple(at.get(site) for site in ("color", "image"))
        if not any(later):
            return sized
        return self.cache.get((*sized_key, *later, self.run_seed), lambda: self._noised(sized, sample))

    def _sized(self, sample: Sample) -> Picture:
        try:
            decoded: Picture = self._built["decode"](sample.read())
            return self._built["resize"](decoded, self._canvas) if "resize" in self._built else decoded
        except (DataError, ShapeError) as error:
            raise DataError(f"{sample.id!r} of {self.task.spec!r}: {error}") from None

    def _noised(self, image: Picture, sample: Sample) -> Picture:
        if "color" in self._built:
            image = self._built["color"](image)
        if "image" in self._built:
            image = self._built["image"](image, draw(self.occupants["image"], self.run_seed, sample))
        return _middle(image, self.geometry.size)


def _middle(image: Picture, size: int) -> Picture:
    start = (len(image) - size) // 2
    return image if max(image.shape[:2]) <= size else image[start : start + size, start : start + size].copy()


def draw(spec: str, run_seed: int, sample: Sample) -> int:
    """The seed of one noise on one sample: made from the run's seed, the noise's name and severity, and the sample's id."""
    return seed(run_seed, spec.partition(":")[0], getattr(noise(spec), "severity", 0), sample.id)


def to_tensor(pictures: Picture) -> torch.Tensor:
    """uint8 N×H×W×3 → float32 N×3×H×W in [0, 1]: the clean occupant of the tensor site."""
    return torch.tensor(pictures).permute(0, 3, 1, 2).contiguous().float().div_(255)


def fill(row: NDArray[np.float32], picture: Picture) -> None:
    """Write what ``to_tensor`` makes of one picture, to the last bit, into ``row`` (3×H×W), for threads: Python's lock is free."""
    np.divide(picture.transpose(2, 0, 1), np.float32(255), out=row)


def probe(size: int) -> torch.Tensor:
    """Two pictures of noise, the same ones always, that show how a network runs: the order of its layers, what a change does."""
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


class TrainingPictures(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Clean training pictures at the model's input size: decoded once and kept as uint8 where they fit, else at each use."""

    def __init__(self, pipeline: Pipeline, workers: int, limit_bytes: int = 8 << 30) -> None:
        self.pipeline, self.pool = pipeline, ThreadPoolExecutor(max_workers=workers)
        self.samples = pipeline.task.data.samples
        self.y = torch.tensor([sample.label for sample in self.samples])
        fits = len(self.samples) * 3 * pipeline.geometry.size**2 <= limit_bytes
        self.kept = self._made(self.samples) if fits else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x, y = self.batch([index])
        return x[0].float().div_(255), int(y[0])

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (uint8 N×3×S×S, labels N) of ``indices``: the fast path of the training loop."""
        rows = torch.as_tensor(indices)
        return self._made([self.samples[i] for i in indices]) if self.kept is None else self.kept[rows], self.y[rows]

    def _made(self, samples: Sequence[Sample]) -> torch.Tensor:
        pictures = np.stack(list(self.pool.map(self.pipeline.picture, samples)))
        return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def finite(logits: torch.Tensor, samples: Sequence[Sample]) -> torch.Tensor:
    """Return ``logits``; raises ModelError naming the first sample whose logits are not numbers."""
    bad = ~torch.isfinite(logits).all(dim=1)
    if bad.any():
        raise ModelError(f"The logits of sample {samples[int(bad.nonzero()[0])].id!r} are not finite numbers.")
    return logits
