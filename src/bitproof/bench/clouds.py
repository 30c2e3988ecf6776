"""Clouds of points as inputs, and the way of one: decode → sample → cloud → frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import Inputs
from bitproof.bench.pictures import draw
from bitproof.bench.ways import KeptSamples, Way
from bitproof.core import Cloud, DataError, ShapeError, seed
from bitproof.models import Network, TorchVictim
from bitproof.noises import noise
from bitproof.tasks import Sample, Task

Points = NDArray[np.float32]

#: Side of a thumbnail, of a point in it, and how far the viewer stands to the right and above, degrees.
SIDE_PX, POINT_PX, ASIDE, ABOVE = 160, 2, 40.0, 25.0


@dataclass(frozen=True)
class CloudPipeline(Way):
    """The occupants of a shape's sites for one cell; attacked or not, its way ends with the framed cloud."""

    form: Cloud

    dtype: ClassVar[torch.dtype] = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """3×points."""
        return 3, self.form.points

    @property
    def size_bytes(self) -> int:
        """Bytes of the drawn points, which are kept, and of what is made of them."""
        return 2 * 4 * 3 * self.form.points

    def made(self, sample: Sample) -> Points:
        """Return float32 points×3. Raises DataError naming the sample that cannot be read."""
        at = self.occupants
        key = self.task.data.digest, sample.id, at["decode"], at["sample"], self.form
        late = (at.get("cloud"), self.run_seed if "cloud" in at else 0, at["frame"])
        return self.cache.get((*key, *late), lambda: self._late(self.cache.get(key, lambda: self._drawn(sample)), sample))

    @staticmethod
    def fill(row: NDArray[Any], made: NDArray[Any]) -> None:
        """Write points×3 into ``row`` 3×points."""
        np.copyto(row, made.T)

    def _late(self, cloud: Points, sample: Sample) -> Points:
        if "cloud" in self._built:
            cloud = self._built["cloud"](cloud, draw(self.occupants["cloud"], self.run_seed, sample))
        framed: Points = self._built["frame"](cloud)
        return framed

    def _drawn(self, sample: Sample) -> Points:
        """The points of a shape: its name alone decides them, so that every run meets the same."""
        try:
            shape = self._built["decode"](sample.read())
            points: Points = self._built["sample"](shape, self.form, seed("points", sample.id))
        except (DataError, ShapeError) as error:
            raise DataError(f"{sample.id!r} of {self.task.spec!r}: {error}") from None
        return points


class CloudInputs(Inputs):
    """Clouds, float N×3×P; an attack moves points inside the cube [−1, 1]."""

    usual = "point_jitter:3"

    augments = ("none", "points")

    def misfit(self, part: str, task: Task, network: Network) -> str | None:
        """Say whether a noise is the clean occupant, or draws vertices of what has no others."""
        why, shape = super().misfit(part, task, network), noise(task.clean(network.form)["decode"])
        if why is None and noise(part) == noise("sample-vertices") and not len(shape(task.data.samples[0].read()).triangles):
            return "The first shape is a cloud: its vertices are all that there is."
        return why

    def pipeline(
        self, task: Task, form: Cloud, noises: Sequence[str], run_seed: int, cache: SampleCache, attacked: bool = False
    ) -> CloudPipeline:
        """Return the way of a shape."""
        return CloudPipeline(task, form, tuple(noises), run_seed, cache)

    def probe(self, form: Cloud) -> Tensor:
        """Return two clouds of noise."""
        return torch.rand(2, 3, form.points, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def training(self, pipeline: CloudPipeline, workers: int) -> TrainingClouds:
        """Return the clean clouds of a pipeline."""
        return TrainingClouds(pipeline, workers)

    def before(self, victim: TorchVictim, form: Cloud, noises: Sequence[str]) -> TorchVictim:
        """Return the victim in the cube that coordinates lie in."""
        return TorchVictim(victim.module, victim.differentiable, victim.mode, victim.backward, (-1.0, 1.0))

    def thumbnail(self, x: Tensor, form: Cloud, attacked: bool) -> NDArray[np.uint8]:
        """Return the cloud as seen from aside and above, near points dark."""
        return drawn_cloud(x.detach().cpu().numpy().T)


def drawn_cloud(points: Points) -> NDArray[np.uint8]:
    """Return a picture, uint8 SIDE_PX×SIDE_PX×3, of points P×3 whose third axis is up; what lies outside the sphere is cut off."""
    aside, above = np.radians([ASIDE, ABOVE])
    right = np.array([np.cos(aside), np.sin(aside), 0])
    towards = np.array([np.sin(aside) * np.cos(above), -np.cos(aside) * np.cos(above), np.sin(above)])
    near, across = points @ towards, points @ np.stack([right, np.cross(towards, right)], axis=1)
    order = np.argsort(near)
    places = np.round((across[order] * [1, -1] + 1.05) * SIDE_PX / 2.1).astype(int)
    shade = (200 - 170 * (near[order] + 1) / 2).clip(20, 210)
    picture = np.full((SIDE_PX, SIDE_PX), 255, np.uint8)
    for step in np.ndindex(POINT_PX, POINT_PX):
        columns, rows = (places + step).clip(0, SIDE_PX - 1).T
        picture[rows, columns] = shade
    return np.repeat(picture[..., None], 3, axis=2)


class TrainingClouds(KeptSamples):
    """Clean training clouds, kept where they fit into memory."""

    def __init__(self, pipeline: CloudPipeline, workers: int) -> None:
        super().__init__(pipeline, workers, 12 * pipeline.form.points)

    def finish(self, x: Tensor) -> Tensor:
        """N×3×P as it is."""
        return x

    def made(self, samples: Sequence[Sample]) -> Tensor:
        """Return clouds N×3×P."""
        made = np.stack(list(self.pool.map(self.pipeline.made, samples)))
        return torch.from_numpy(made).transpose(1, 2).contiguous()
