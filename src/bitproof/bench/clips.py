"""Clips of sound as inputs, and the way of one: decode → resample → wave → features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import Inputs
from bitproof.bench.pictures import draw
from bitproof.bench.ways import KeptSamples, Way
from bitproof.core import Clip, DataError, ShapeError, seed
from bitproof.models import Network, TorchVictim
from bitproof.noises import noise
from bitproof.tasks import Sample, Task

Wave = NDArray[np.float32]

#: Decibels that a thumbnail shows as darkest and brightest, and its magnification.
DARK_DB, BRIGHT_DB, ZOOM = -80.0, 0.0, 5


@dataclass(frozen=True)
class ClipPipeline(Way):
    """The occupants of a clip's sites for one cell; where it is ``attacked``, its way ends with the wave."""

    form: Clip
    attacked: bool = False

    dtype: ClassVar[torch.dtype] = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples of the wave, or 1×rows×columns of features."""
        return (self.form.length,) if self.attacked else tuple(self._built["features"].shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of a wave, which is kept, and of what is made of it."""
        return 4 * self.form.length + 4 * math.prod(self.shape)

    def made(self, sample: Sample) -> NDArray[Any]:
        """Return float32: the wave, or its features. Raises DataError naming the sample that cannot be read."""
        at = self.occupants
        if self.attacked and "wave" not in at:
            return self._plain(sample)
        late = (at.get("wave"), self.run_seed if "wave" in at else 0, None if self.attacked else at["features"])
        return self.cache.get((*self._key(sample), *late), lambda: self._late(sample))

    def _key(self, sample: Sample) -> tuple[Any, ...]:
        """What the plain wave of a sample is kept under."""
        at = self.occupants
        return self.task.data.digest, sample.id, at["decode"], at["resample"], self.form

    @staticmethod
    def fill(row: NDArray[Any], made: NDArray[Any]) -> None:
        """Copy what was made into ``row``."""
        np.copyto(row, made)

    def _late(self, sample: Sample) -> NDArray[Any]:
        wave = self.wave(sample)
        if self.attacked:
            return wave
        with torch.inference_mode():
            features: NDArray[Any] = self._built["features"](torch.from_numpy(wave[None]))[0].numpy()
        return features

    def wave(self, sample: Sample) -> Wave:
        """Return the wave with what the site ``wave`` does to it."""
        plain, standing = self._plain(sample), self._built.get("wave")
        if standing is None:
            return plain.copy()
        drawn = draw(self.occupants["wave"], self.run_seed, sample)
        made: Wave = standing(plain, self.form.rate, drawn, [self._plain(other) for other in self._others(sample, standing, drawn)])
        return made

    def _others(self, sample: Sample, standing: Any, drawn: int) -> list[Sample]:
        """The other recordings that a noise mixes in, drawn for this sample."""
        samples, own = self.task.data.samples, sample.id
        places = (seed("other", drawn, i) % len(samples) for i in range(getattr(standing, "others", 0)))
        return [samples[i] if samples[i].id != own else samples[i - 1] for i in places]

    def _plain(self, sample: Sample) -> Wave:
        return self.cache.get(self._key(sample), lambda: self._read(sample))

    def _read(self, sample: Sample) -> Wave:
        try:
            wave: Wave = self._built["resample"](self._built["decode"](sample.read()), self.form)
        except (DataError, ShapeError) as error:
            raise DataError(f"{sample.id!r} of {self.task.spec!r}: {error}") from None
        return wave


class FrontedNet(nn.Module):
    """A network behind its front end; N×L in [−1, 1] → N×classes."""

    def __init__(self, front: Any, net: nn.Module) -> None:
        super().__init__()
        self.front, self.net = front, net

    def forward(self, x: Tensor) -> Tensor:
        """Take the features, and answer."""
        logits: Tensor = self.net(self.front(x))
        return logits


class ClipInputs(Inputs):
    """Clips of one channel: a network takes their features; an attack moves the wave, its gradient goes through the front end."""

    usual = "white_noise:3"

    augments = ("none", "wave")

    def misfit(self, part: str, task: Task, network: Network) -> str | None:
        """Say whether the noise must fit the first sample: read it, and change something about it."""
        if (why := super().misfit(part, task, network)) is not None:
            return why
        built, form = noise(part), cast(Clip, network.form)
        clean = {site: noise(spec) for site, spec in task.clean(form).items()}
        if built.site == "decode":
            built(task.data.samples[0].read())
        if built.site == "resample" and not built.changes(recording := clean["decode"](task.data.samples[0].read()), form):
            return f"The first recording is at {recording.rate} Hz, as the model takes it: nothing is resampled."
        if built.site == "features" and built.shape != clean["features"].shape:
            return f"It gives features {built.shape}, and the network takes {clean['features'].shape}."
        return None

    def pipeline(
        self, task: Task, form: Clip, noises: Sequence[str], run_seed: int, cache: SampleCache, attacked: bool = False
    ) -> ClipPipeline:
        """Return the way of a clip."""
        return ClipPipeline(task, form, tuple(noises), run_seed, cache, attacked)

    def probe(self, form: Clip) -> Tensor:
        """Return the features of two clips of noise."""
        generator = torch.Generator().manual_seed(0)
        features: Tensor = noise(form.features)(0.2 * torch.rand(2, form.length, generator=generator) - 0.1)
        return features

    def training(self, pipeline: ClipPipeline, workers: int) -> TrainingClips:
        """Return the clean waves of a pipeline, whose features are taken after augmentation."""
        return TrainingClips(pipeline, workers)

    def before(self, victim: TorchVictim, form: Clip, noises: Sequence[str]) -> TorchVictim:
        """Return the victim behind its front end, as the cell has it; a wave lies in [−1, 1]."""
        at = {noise(spec).site: spec for spec in noises}
        net = FrontedNet(noise(at.get("features", form.features)), victim.module)
        net.train(victim.module.training)
        return TorchVictim(net, victim.differentiable, victim.mode, victim.backward, (-1.0, 1.0))

    def thumbnail(self, x: Tensor, form: Clip, attacked: bool) -> NDArray[np.uint8]:
        """Return the features in colours, low frequencies below."""
        made = noise(form.features)(x[None])[0] if attacked else x
        table = made[0].detach().numpy()
        low, high = (DARK_DB, BRIGHT_DB) if form.features.startswith("logmel") else (float(table.min()), float(table.max()) + 1e-6)
        grey = ((table - low) / (high - low)).clip(0, 1) * 255
        large = np.kron(np.flipud(grey), np.ones((ZOOM, ZOOM))).astype(np.uint8)
        colours: NDArray[np.uint8] = cv2.cvtColor(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        return colours


class TrainingClips(KeptSamples):
    """Clean training waves, kept where they fit into memory; ``finish`` takes their features."""

    def __init__(self, pipeline: ClipPipeline, workers: int) -> None:
        super().__init__(pipeline, workers, 4 * pipeline.form.length)
        self.front = noise(pipeline.form.features)

    def mixed(self, x: Tensor, spec: str, seeds: Sequence[int]) -> Tensor:
        """Return waves N×L of which each, by a chance of 1/2, is under the noise of the wave ``spec``."""
        built, rate = noise(spec), self.pipeline.form.rate
        return torch.stack(
            [torch.from_numpy(built(wave.numpy(), rate, s)) if s & 1 else wave for wave, s in zip(x, seeds, strict=True)]
        )

    def finish(self, x: Tensor) -> Tensor:
        """Waves N×L → features."""
        features: Tensor = self.front(x)
        return features

    def made(self, samples: Sequence[Sample]) -> Tensor:
        """Return waves N×L in [−1, 1]."""
        return torch.from_numpy(np.stack(list(self.pool.map(self.pipeline.wave, samples))))
