"""Pictures as inputs, and the way of one up to the tensor site: decode → resize → color → image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import Inputs
from bitproof.bench.inputs import Pipeline as AnyPipeline
from bitproof.bench.preprocess import preprocess
from bitproof.bench.ways import KeptSamples
from bitproof.core import DataError, Framing, Geometry, ModelError, ShapeError, SpecError, seed
from bitproof.models import Network
from bitproof.noises import noise
from bitproof.tasks import Sample, Task

if TYPE_CHECKING:
    from bitproof.bench.plan import Plan

Picture = NDArray[np.uint8]


class Worn(Protocol):
    """A defense on its way with a picture; ``key`` tells it apart from all others, with the class that it is told."""

    @property
    def key(self) -> str:
        """What it is."""

    def on_picture(self, image: Picture, sample: Sample) -> Picture:
        """uint8 H×W×3 → uint8 H×W×3, a new array."""


@dataclass(frozen=True)
class Pipeline:
    """The occupants of an image's first four sites for one cell, and the defense that stands before colour and corruption."""

    task: Task
    geometry: Geometry
    noises: Sequence[str]
    run_seed: int
    cache: SampleCache
    worn: Worn | None = None

    dtype: ClassVar[torch.dtype] = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """3×size×size."""
        return 3, self.geometry.size, self.geometry.size

    @property
    def size_bytes(self) -> int:
        """Bytes of a picture."""
        return 3 * self.geometry.size**2

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

    def made(self, sample: Sample) -> Picture:
        """Return uint8 size×size×3. Raises DataError naming the sample that cannot be read."""
        at = self.occupants
        sized_key = (self.task.data.digest, sample.id, at["decode"], at.get("resize"), self._canvas)
        sized = self.cache.get(sized_key, lambda: self._sized(sample))
        later = tuple(at.get(site) for site in ("color", "image"))
        if not any(later) and self.worn is None:
            return sized
        worn = self.worn.key if self.worn else None
        return self.cache.get((*sized_key, *later, self.run_seed, worn), lambda: self._noised(sized, sample))

    @staticmethod
    def fill(row: NDArray[Any], made: NDArray[Any]) -> None:
        """Write a picture, in [0, 1], into ``row`` 3×size×size; see ``fill``."""
        fill(row, made)

    def _sized(self, sample: Sample) -> Picture:
        try:
            decoded: Picture = self._built["decode"](sample.read())
            return self._built["resize"](decoded, self._canvas) if "resize" in self._built else decoded
        except (DataError, ShapeError) as error:
            raise DataError(f"{sample.id!r} of {self.task.spec!r}: {error}") from None

    def _noised(self, image: Picture, sample: Sample) -> Picture:
        if self.worn is not None:
            image = self.worn.on_picture(image, sample)
        if "color" in self._built:
            image = self._built["color"](image)
        if "image" in self._built:
            image = self._built["image"](image, draw(self.occupants["image"], self.run_seed, sample))
        return _middle(image, self.geometry.size)


def wearing(pipeline: AnyPipeline, worn: Worn | None) -> AnyPipeline:
    """Return the way of a picture with a defense in front of colour and corruption; ``pipeline`` itself where there is none."""
    return pipeline if worn is None else replace(cast(Pipeline, pipeline), worn=worn)


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


class PictureInputs(Inputs):
    """RGB pictures, float N×3×S×S in [0, 1] with normalisation inside the network; an attack moves what the network takes."""

    usual = "gaussian_noise:3"

    augments = ("none", "flip", "crop-flip", "resized-crop-flip")
    adversarial = True

    def check(self, network: Network, plan: Plan) -> None:
        """Refuse a form that gives no squares, what cannot resize, and a preprocessing that fails on the first sample."""
        check_interpolation(network.spec, network.geometry)
        if network.geometry.mode == "longer":
            raise SpecError(
                f"{network.spec!r}: the mode 'longer' keeps a picture's shape, and networks take squares. Type shorter or square."
            )
        for task in plan.tasks.values():
            if network.geometry.preprocess:
                preprocess(network.geometry.preprocess, network.geometry.size)(task.data.samples[0].read())

    def misfit(self, part: str, task: Task, network: Network) -> str | None:
        """A decoder must read the first sample, and a resize must not be the clean one spelled out."""
        built = noise(part)
        if built.site == "decode":
            built(task.data.samples[0].read())
        return "It is the clean resize, spelled out." if isinstance(built, Framing) and _is_clean(built, network.geometry) else None

    def pipeline(
        self, task: Task, form: Geometry, noises: Sequence[str], run_seed: int, cache: SampleCache, attacked: bool = False
    ) -> Pipeline:
        """Return the way of a picture; attacked or not, it ends at the site ``tensor``."""
        return Pipeline(task, form, tuple(noises), run_seed, cache)

    def probe(self, form: Geometry) -> torch.Tensor:
        """Return two pictures of noise."""
        return probe(form.size)

    def training(self, pipeline: Pipeline, workers: int) -> TrainingPictures:
        """Return the clean pictures of a pipeline."""
        return TrainingPictures(pipeline, workers)

    def thumbnail(self, x: torch.Tensor, form: Geometry, attacked: bool) -> Picture:
        """Return the picture in 8 bits."""
        rounded: Picture = (x.detach().permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        return rounded


def check_interpolation(spec: str, geometry: Geometry) -> None:
    """Raise SpecError where the clean occupant of the resize site is no way to resize."""
    if noise(geometry.interpolation).site != "resize":
        raise SpecError(f"{spec!r}: {geometry.interpolation!r} is no way to resize; 'bitproof list noises' shows them.")


def _is_clean(resizer: Framing, own: Geometry) -> bool:
    named = replace(resizer, mode=None, resize=None)  # type: ignore[type-var]
    return named == noise(own.interpolation) and resizer.geometry(own) == own


class TrainingPictures(KeptSamples):
    """Clean training pictures at the model's input size: decoded once and kept as uint8 where they fit, else at each use."""

    def __init__(self, pipeline: Pipeline, workers: int) -> None:
        super().__init__(pipeline, workers, 3 * pipeline.geometry.size**2)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x, y = self.batch([index])
        return x[0].float().div_(255), int(y[0])

    def made(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Return pictures, uint8 N×3×S×S."""
        pictures = np.stack(list(self.pool.map(self.pipeline.made, samples)))
        return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def finite(logits: torch.Tensor, samples: Sequence[Sample]) -> torch.Tensor:
    """Return ``logits``; raises ModelError naming the first sample whose logits are not numbers."""
    bad = ~torch.isfinite(logits).all(dim=1)
    if bad.any():
        raise ModelError(f"The logits of sample {samples[int(bad.nonzero()[0])].id!r} are not finite numbers.")
    return logits
