"""What differs between networks of one kind of input and another: one class a kind, over what all of them share.

A network of any kind takes one tensor a batch and gives logits. How a sample becomes a row of that tensor, which models and noises
fit, and what an attack moves: that is asked here, and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitproof.bench.cache import SampleCache
from bitproof.bench.specs import is_attacked, on_samples
from bitproof.core import Form, Registry, SpecError
from bitproof.models import Network, TorchVictim
from bitproof.noises import noise
from bitproof.tasks import Sample, Task
from bitproof.training import Samples

if TYPE_CHECKING:
    from bitproof.bench.ids import Cell
    from bitproof.bench.plan import Plan

#: Kind of input → what differs. Entries are named by text, so that a kind is imported where it is used.
INPUTS = Registry(
    "input",
    {
        "image": "bitproof.bench.pictures:PictureInputs",
        "keyword": "bitproof.bench.clips:ClipInputs",
        "text": "bitproof.bench.tokens:TextInputs",
        "points": "bitproof.bench.clouds:CloudInputs",
    },
)


class Pipeline(Protocol):
    """The way of one sample, up to the network or to where an attack moves it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample in a batch."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of a batch."""

    @property
    def size_bytes(self) -> int:
        """Bytes of one sample as it is kept."""

    def made(self, sample: Sample) -> NDArray[Any]:
        """Return the sample as it is kept; callers must not write into it. Raises DataError naming one that cannot be read."""

    def fill(self, row: NDArray[Any], made: NDArray[Any]) -> None:
        """Write what was ``made`` into one row of a batch, an array of ``shape``; called in threads."""


class Inputs(ABC):
    """What bench asks about one kind of input. A method with a body is what most kinds need."""

    #: A noise that such inputs meet, of the middle severity: what layers are measured under where no other is named.
    usual: ClassVar[str]

    #: Values of ``training.augment`` that mean something.
    augments: ClassVar[tuple[str, ...]] = ("none",)

    #: Whether what is trained on can be attacked first.
    adversarial: ClassVar[bool] = False

    @abstractmethod
    def pipeline(
        self, task: Task, form: Any, noises: Sequence[str], run_seed: int, cache: SampleCache, attacked: bool = False
    ) -> Pipeline:
        """Return the way of a sample under ``noises``, none of which stands at ``tensor`` or ``model``.

        ``attacked``: it ends where an attack moves the sample; otherwise at the network.
        """

    @abstractmethod
    def probe(self, form: Any) -> Tensor:
        """Return two samples as a network takes them, the same ones always: they show the order of its layers."""

    @abstractmethod
    def training(self, pipeline: Any, workers: int) -> Samples:
        """Return the clean samples of a pipeline, to be trained on."""

    def check(self, network: Network, plan: Plan) -> None:
        """Raise SpecError where the form's occupants do not stand at their sites, DataError for an unreadable first sample."""
        for task in plan.tasks.values():
            for site, spec in task.clean(network.form).items():
                if noise(spec).site != site:
                    raise SpecError(f"{network.spec!r}: {spec!r} stands at the site {noise(spec).site!r} and not at {site!r}.")
            self.pipeline(task, network.form, (), 0, SampleCache(0)).made(task.data.samples[0])

    def misfit(self, part: str, task: Task, network: Network) -> str | None:
        """Return why a family leaves the noise ``part`` out here, or None."""
        built, clean = noise(part), task.clean(network.form)
        same = built.site in clean and built == noise(clean[built.site])
        return "It is the clean occupant, spelled out." if same else None

    def before(self, victim: TorchVictim, form: Any, noises: Sequence[str]) -> TorchVictim:
        """Return what an attack attacks: ``victim`` with all in front of it that lies behind the site ``tensor``."""
        return victim

    def thumbnail(self, x: Tensor, form: Any, attacked: bool) -> NDArray[np.uint8] | None:
        """Return a picture, uint8 H×W×3, of one row of a batch; None where there is nothing to be seen."""
        return None


def inputs_of(form: Form) -> Inputs:
    """Return what differs for networks of ``form``."""
    found: Inputs = INPUTS.load(form.kind)()
    return found


def pipeline_of(cell: Cell, plan: Plan, cache: SampleCache) -> Pipeline:
    """Return the way of the samples of ``cell``, up to its network or to its attack."""
    task, form = plan.tasks[cell.variant.task], plan.networks[cell.variant.model].form
    return inputs_of(form).pipeline(task, form, on_samples(cell.noise), cell.variant.seed, cache, is_attacked(cell.noise))


def probe_of(network: Network) -> Tensor:
    """Return two samples as ``network`` takes them."""
    return inputs_of(network.form).probe(network.form)


def clean_batch(task: Task, network: Network, samples: Sequence[Sample], cache: SampleCache) -> Tensor:
    """Return clean samples as ``network`` takes them."""
    pipeline = inputs_of(network.form).pipeline(task, network.form, (), 0, cache)
    return batch(pipeline, samples)


def batch(pipeline: Pipeline, samples: Sequence[Sample]) -> Tensor:
    """Return ``samples`` in one tensor."""
    x = torch.empty(len(samples), *pipeline.shape, dtype=pipeline.dtype)
    for row, sample in zip(x.numpy(), samples, strict=True):
        pipeline.fill(row, pipeline.made(sample))
    return x
