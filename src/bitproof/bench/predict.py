"""What a run will cost, measured on one picture of each kind before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from bitproof.bench.pictures import PictureCache, Pipeline, to_tensor
from bitproof.bench.plan import Cell, Plan, Variant, parts
from bitproof.convert import Recipe
from bitproof.core import seed
from bitproof.models import Network
from bitproof.noises import noise

#: Of a float forward, measured on ResNet-20 and EfficientNet-Lite0: a fake-quantized forward, a gradient, a step of training.
LOW_BIT, GRADIENT, TRAINING = 1.6, 3.0, 4.0

#: Bytes of one row in a cell's Parquet file, and of the file itself.
ROW_BYTES, FILE_BYTES = 60, 9_000


@dataclass(frozen=True)
class Prediction:
    """What a plan asks for: numbers of variants, trainings and cells, seconds, bytes on disk."""

    variants: int
    trainings: int
    cells: int
    samples: int
    training_s: float
    cells_s: float
    disk_bytes: int


def cell_weight(cell: Cell, plan: Plan) -> float:
    """The work of a cell in units of one float forward of one sample."""
    each = 1.0 + sum(GRADIENT * getattr(noise(part), "steps", 0) for part in parts(cell.noise))
    return len(plan.samples(cell)) * each * (LOW_BIT if cell.variant.recipe.bits is not None else 1.0)


def predict(plan: Plan) -> Prediction:
    """Predict time and disk of ``plan`` on this machine; runs each model once and makes one picture under each noise."""
    forward = {model: _forward_s(network, plan.grid.batch_size) for model, network in plan.networks.items()}
    pictures = {key: _picture_s(plan, *key) for key in {(c.variant.task, c.variant.model, c.noise) for c in plan.cells}}
    cells_s = 0.0
    samples = 0
    seen: set[tuple[str, str, str]] = set()
    for cell in plan.cells:
        key = (cell.variant.task, cell.variant.model, cell.noise)
        count = len(plan.samples(cell))
        samples += count
        cells_s += cell_weight(cell, plan) * forward[cell.variant.model]
        if key not in seen:  # the variants of a task share the pictures of a noise
            cells_s += count * pictures[key] / plan.threads
            seen.add(key)
    trained = [v for v in plan.variants if v.recipe.trains]
    return Prediction(
        variants=len(plan.variants),
        trainings=len(trained),
        cells=len(plan.cells),
        samples=samples,
        training_s=sum(_training_s(v, plan, forward[v.model]) for v in plan.variants),
        cells_s=cells_s,
        disk_bytes=samples * ROW_BYTES
        + len(plan.cells) * FILE_BYTES
        + sum(_bytes(plan.networks[v.model], v.recipe) for v in plan.variants),
    )


def _training_s(variant: Variant, plan: Plan, forward_s: float) -> float:
    if variant.recipe.trains and plan.grid.training is not None and plan.train_source is not None:
        return len(plan.train_source.data.samples) * plan.grid.training.epochs * TRAINING * forward_s
    return plan.grid.calibration.n * GRADIENT * forward_s if variant.recipe.bits is not None else 0.0


def _bytes(network: Network, recipe: Recipe) -> int:
    if str(recipe) == "fp32":
        return 0
    return sum(value.numel() * value.element_size() for value in network.module.state_dict().values())


def _forward_s(network: Network, batch_size: int) -> float:
    """Seconds of one sample in a batch, the better of two."""
    x = torch.zeros(batch_size, 3, network.geometry.size, network.geometry.size)
    with torch.inference_mode():
        network.module(x[:1])
        return min(_seconds(lambda: network.module(x)) for _ in range(2)) / batch_size


def _picture_s(plan: Plan, task: str, model: str, spec: str) -> float:
    """Seconds to make one picture under ``spec``, from its bytes to the tensor."""
    specs = tuple(part for part in parts(spec) if noise(part).site not in ("tensor", "model"))
    pipeline = Pipeline(plan.tasks[task], plan.networks[model].geometry, specs, seed("predict"), PictureCache(0))
    sample = plan.tasks[task].data.samples[0]
    return min(_seconds(lambda: to_tensor(pipeline.picture(sample)[None])) for _ in range(2))


def _seconds(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start
