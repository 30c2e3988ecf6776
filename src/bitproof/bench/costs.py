"""What a run will cost, measured before it starts: one batch through each model, one picture under each noise.

Processor time is measured: what else the machine does just then is not the run's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from typing import Any

import torch

from bitproof.bench.kind import Prediction, Price
from bitproof.bench.memory import keep_freed_memory
from bitproof.bench.pictures import PictureCache, Pipeline, to_tensor
from bitproof.bench.plan import Cell, Plan, Variant
from bitproof.bench.specs import on_pictures, parts, standing
from bitproof.core import BitproofError
from bitproof.models import Network
from bitproof.noises import noise

#: In float forwards, rough and on the safe side: a fake-quantized forward, a gradient, a step of training.
LOW_BIT, GRADIENT, TRAINING = 1.6, 3.0, 4.0

#: Bytes of one row in a cell's Parquet file, and of the file itself.
ROW_BYTES, FILE_BYTES = 60, 9_000


class NetworkCosts:
    """The predicted seconds of a plan's parts on this machine, where networks run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._picture_s = cache(lambda task, model, specs: picture_s(plan, task, model, specs))

    @cached_property
    def forward_s(self) -> dict[str, float]:
        """Seconds of one sample in a batch, a model."""
        size, threads = self.plan.grid.batch_size, self.plan.threads
        return {model: _forward_s(network, size) / threads for model, network in self.plan.networks.items()}

    def cell_s(self, cell: Cell) -> float:
        """Seconds of a cell, its pictures apart."""
        each = 1.0 + sum(_work(part, self.plan.networks[cell.variant.model].classes) for part in parts(cell.noise))
        low_bit = LOW_BIT if cell.variant.recipe.bits is not None else 1.0
        return len(self.plan.samples(cell)) * each * low_bit * self.forward_s[cell.variant.model]

    def pictures_s(self, cells: Iterable[Cell]) -> float:
        """Seconds of the pictures of ``cells``; the variants of a task share those of a noise."""
        shared = {pictures_of(cell): len(self.plan.samples(cell)) for cell in cells}
        return sum(count * self._picture_s(*key) for key, count in shared.items()) / self.plan.threads

    def variant_s(self, variant: Variant) -> float:
        """Seconds to calibrate or train a variant."""
        grid, source = self.plan.grid, self.plan.train_source
        if variant.recipe.trains and grid.training is not None and source is not None:
            against = grid.training.adversarial
            each = TRAINING * (2 if grid.training.trades else 1)
            each += _work(against, self.plan.networks[variant.model].classes) if against else 0.0
            return len(source.data.samples) * grid.training.epochs * each * self.forward_s[variant.model]
        return grid.calibration.n * GRADIENT * self.forward_s[variant.model] if variant.recipe.bits is not None else 0.0


def picture_s(plan: Plan, task: str, model: str, specs: tuple[str, ...]) -> float:
    """Processor seconds to make one picture under ``specs``, from its bytes to the tensor."""
    pipeline = Pipeline(plan.tasks[task], plan.models[model].geometry, specs, 0, PictureCache(0))
    sample = plan.tasks[task].data.samples[0]
    try:
        return min(_seconds(lambda: to_tensor(pipeline.picture(sample)[None])) for _ in range(2))
    except BitproofError:  # the cell will fail, and tell why
        return 0.0


def _work(spec: str, classes: int) -> float:
    """What a noise costs a sample at most, in float forwards."""
    built = noise(spec)
    if inner := getattr(built, "inner", None):
        return 2.0 + _work(inner, classes)
    if built.family == "evidence":
        return 3 * GRADIENT
    forwards, gradients = _bill(built, classes)
    return forwards + (GRADIENT - 1) * gradients


def _bill(built: Any, classes: int) -> tuple[int, int]:
    """Forwards and gradients of a sample that stands to the end; another package's attack is taken for one of ``steps``."""
    if hasattr(built, "bill"):
        forwards, gradients = built.bill(classes)
        return forwards, gradients
    return (steps := getattr(built, "steps", 0)), steps


def pictures_of(cell: Cell) -> tuple[str, str, tuple[str, ...]]:
    """What the pictures of a cell depend on: cells that agree in it share them."""
    return cell.variant.task, cell.variant.model, on_pictures(cell.noise)


def predict_networks(plan: Plan) -> Prediction:
    """Predict time and disk of a plan of networks on this machine, where nothing else runs."""
    keep_freed_memory()  # as the run does
    costs = NetworkCosts(plan)
    rows = sum(len(plan.samples(cell)) for cell in plan.cells)
    weights = sum(_bytes(plan.networks[variant.model]) for variant in plan.made if str(variant.recipe) != "fp32")
    return Prediction(
        variants=len(plan.made),
        trainings=sum(variant.recipe.trains for variant in plan.made),
        cells=len(plan.cells),
        rows=rows,
        variants_s=sum(map(costs.variant_s, plan.made)),
        cells_s=sum(map(costs.cell_s, plan.cells)) + costs.pictures_s(plan.cells),
        disk_bytes=rows * ROW_BYTES + len(plan.cells) * FILE_BYTES + weights,
        attacks=tuple(_prices(plan, costs)),
    )


def _prices(plan: Plan, costs: NetworkCosts) -> Iterator[Price]:
    """One price a model and attack, over all its variants and tasks."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in plan.cells:
        attack = standing(cell.noise).get("tensor")
        if attack is not None and noise(attack).family == "adversarial":
            cells.setdefault((cell.variant.model, attack), []).append(cell)
    for (model, attack), meant in cells.items():
        built = noise(attack)
        bill = _bill(noise(getattr(built, "inner", None) or attack), plan.networks[model].classes)
        yield Price(model, attack, *bill, time_s=sum(map(costs.cell_s, meant)))


def _bytes(network: Network) -> int:
    return sum(value.numel() * value.element_size() for value in network.module.state_dict().values())


def _forward_s(network: Network, batch_size: int) -> float:
    """Processor seconds of one sample in a batch, the better of two."""
    x = torch.zeros(batch_size, 3, network.geometry.size, network.geometry.size)
    try:
        with torch.inference_mode():
            network.module(x[:1])
            return min(_seconds(lambda: network.module(x)) for _ in range(2)) / batch_size
    except Exception:  # its cells will fail, and tell why
        return 0.0


def _seconds(do: Callable[[], Any]) -> float:
    start = time.process_time()
    do()
    return time.process_time() - start
