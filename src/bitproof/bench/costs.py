"""What the parts of a run cost, measured before it starts: a batch through each model, a picture under each noise, a short attack.

Processor time is measured, since what else the machine does just then is not the run's; on a GPU the time until it is done.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Collection
from functools import cache, cached_property
from typing import Any, ClassVar

import torch

from bitproof.analysis import Budget, budget, parted
from bitproof.bench.cache import SampleCache
from bitproof.bench.fits import Fit, tried
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.inputs import batch, clean_batch, inputs_of, probe_of
from bitproof.bench.plan import Plan
from bitproof.bench.specs import on_samples, parts, standing
from bitproof.convert import AT_ONCE, Recipe, brief, quantize, rescaled, searched
from bitproof.core import BitproofError
from bitproof.defenses import defense
from bitproof.models import Network, TorchVictim
from bitproof.noises import noise

#: What a gradient costs, in float forwards.
GRADIENT = 3.0

#: A short attack on a few pictures shows how many may stand under a long one, which those that fall leave after about ``EARLY``
#: forwards. It is worth its own cost before attacks that ask for ``WORTH`` times as much.
PROBED, PROBE, EARLY, WORTH = 16, "pgd-{norm}:eps={eps},steps=10,step={step!r}", 30.0, 20

CPU = torch.device("cpu")

#: Candidates of two short searches by the loss: what the second one takes longer is what its choices take.
BRIEF = 1, 9


class NetworkCosts:
    """The predicted seconds of a plan's parts on this machine, where networks run on ``device`` and are made on the CPU.

    In float forwards, rough and on the safe side: ``low_bit``, a fake-quantized forward; ``training``, a step of it, a sample.
    """

    low_bit: ClassVar[float] = 1.6
    training: ClassVar[float] = 4.0

    def __init__(self, plan: Plan, device: torch.device = CPU) -> None:
        self.plan, self.device = plan, device
        self._picture_s = cache(lambda task, model, specs, defense: picture_s(plan, task, model, specs))
        self._choice_s = cache(lambda task, model, recipe: choice_s(plan, task, model, recipe))
        self._standing = cache(lambda task, model, ball: standing_share(plan, task, model, ball))

    @cached_property
    def forward_s(self) -> dict[str, float]:
        """Seconds of one sample in a batch, a model, where networks run."""
        return self._forwards_s(self.device)

    @cached_property
    def made_s(self) -> dict[str, float]:
        """The same where networks are made low-bit: on the CPU."""
        return self.forward_s if self.device == CPU else self._forwards_s(CPU)

    def _forwards_s(self, device: torch.device) -> dict[str, float]:
        size, found = self.plan.grid.batch_size, {}
        for model, network in self.plan.networks.items():
            threads = self.plan.threads if device == CPU or network.finished else 1  # a session stays on the CPU
            found[model] = _forward_s(network, size, device) / threads
        return found

    def cell_s(self, cell: Cell) -> float:
        """Seconds of a cell, its pictures apart, with those samples that may be expected to stand under an attack."""
        work, share = self._asked(cell), 1.0
        ball = _left_early(cell.noise)
        if ball and len(self.plan.samples(cell)) * work > WORTH * PROBED * 10 * GRADIENT:
            share = self._standing(cell.variant.task, cell.variant.model, ball)
        return self._seconds(cell, share * work + (1 - share) * min(work, EARLY))

    def most_s(self, cell: Cell) -> float:
        """The same if all samples stand."""
        return self._seconds(cell, self._asked(cell))

    def _asked(self, cell: Cell) -> float:
        """What the noises of a cell cost a sample at most, in float forwards."""
        return sum(_work(part, self.plan.networks[cell.variant.model].classes) for part in parts(cell.noise))

    def _seconds(self, cell: Cell, work: float) -> float:
        low_bit = self.low_bit if cell.variant.recipe.bits is not None else 1.0
        passes = self._passes(cell) if tried(cell.defense) else self._tries(cell)
        return len(self.plan.samples(cell)) * passes * (1.0 + work) * low_bit * self.forward_s[cell.variant.model]

    def _tries(self, cell: Cell) -> int:
        """How often a sample is shown."""
        return self._passes(cell) if parted(cell.defense)[1] == "argmax" else 1

    def _passes(self, cell: Cell) -> int:
        """How often a network answers where nobody knows the label: with each class's patch, with none where a class has none."""
        fit = self.plan.fit(cell)
        labels = len(fit.labels) if fit else 0
        return labels + (labels < self.plan.networks[cell.variant.model].classes)

    def fit_s(self, fit: Fit) -> float:
        """Seconds to fit a defense; the networks that it is fitted on come before."""
        built = defense(fit.spec)
        each = sum(self.forward_s[variant.model] for variant in fit.variants) / len(fit.variants)
        return float(built.bill(len(fit.variants)) if built.fitted else fit.n) * GRADIENT * self.low_bit * each

    def pictures_s(self, cells: Collection[Cell]) -> float:
        """Seconds of the pictures of ``cells``; the variants of a task share those of a noise."""
        shared = {pictures_of(cell): len(self.plan.samples(cell)) for cell in cells}
        tries = {pictures_of(cell): self._tries(cell) for cell in cells}
        return sum(count * tries[key] * self._picture_s(*key) for key, count in shared.items()) / self.plan.threads

    def variant_s(self, variant: Variant) -> float:
        """Seconds to calibrate or train a variant."""
        grid, source = self.plan.grid, self.plan.train_source
        if variant.recipe.trains and grid.training is not None and source is not None:
            against = grid.training.adversarial
            settings = self.plan.training_of(variant.recipe)
            depths = [depth for depth, _ in settings.at_depths()] or [1]
            each = self.training * (2 if settings.trades else 1) * sum(depths) / max(depths) + settings.taught
            each += _work(against, self.plan.networks[variant.model].classes) if against else 0.0
            return len(source.data.samples) * grid.training.epochs * each * self.forward_s[variant.model]
        if variant.recipe.bits is None:
            return 0.0
        n, module = grid.calibration.n, self.plan.networks[variant.model].module
        return (n * GRADIENT + rescaled(variant.recipe, module, n)) * self.made_s[variant.model] + self.search_s(variant)

    def search_s(self, variant: Variant) -> float:
        """Seconds to choose ranges by the loss, if every round is needed; 0 where the recipe does not."""
        asked = searched(variant.recipe)
        if asked is None:
            return 0.0
        around, each = self._choice_s(variant.task, variant.model, brief(variant.recipe, BRIEF[0]))
        pieces = -(-self.plan.grid.calibration.n // AT_ONCE)
        return pieces * (around + math.prod(asked) * each) / self.plan.threads


def picture_s(plan: Plan, task: str, model: str, specs: tuple[str, ...]) -> float:
    """Processor seconds to make one sample under ``specs``, from its bytes to the tensor."""
    form = plan.models[model].form
    pipeline = inputs_of(form).pipeline(plan.tasks[task], form, specs, 0, SampleCache(0))
    sample = plan.tasks[task].data.samples[0]
    try:
        return min(_seconds(lambda: batch(pipeline, [sample])) for _ in range(2))
    except BitproofError:  # the cell will fail, and tell why
        return 0.0


def choice_s(plan: Plan, task: str, model: str, recipe: Recipe) -> tuple[float, float]:
    """Processor seconds of a search by the loss on ``AT_ONCE`` samples: of all around it, and of one choice for every range."""
    network, source = plan.networks[model], plan.calibration_of(task)
    samples = source.data.calibration(plan.grid.calibration.n, seed=0)[:AT_ONCE]

    def taken_s(candidates: int) -> float:
        return _seconds(lambda: quantize(network.module, brief(recipe, candidates), [x]))

    try:
        x = clean_batch(source, network, samples, SampleCache(0))
        first, more, again = map(taken_s, (*BRIEF, BRIEF[0]))
    except Exception:  # making it will fail, and tell why
        return 0.0, 0.0
    few = min(first, again)  # the first one of all takes longer
    each = max(0.0, more - few) / (BRIEF[1] - BRIEF[0])
    return max(0.0, few - (BRIEF[0] + 1) * each), each


def standing_share(plan: Plan, task: str, model: str, ball: Budget) -> float:
    """Share of pictures that stand under a short attack on the float network as it is given; 1 where that fails."""
    network, samples = plan.networks[model], plan.tasks[task].data.evaluation(None, seed=0)[:PROBED]
    inputs = inputs_of(network.form)
    pipeline = inputs.pipeline(plan.tasks[task], network.form, (), 0, SampleCache(0), attacked=True)
    victim = inputs.before(TorchVictim(network.module), network.form, ())
    attack = noise(PROBE.format(norm=ball.norm, eps=ball.text, step=0.25 * float(ball.eps)))
    try:
        found = attack(victim, batch(pipeline, samples), torch.tensor([sample.label for sample in samples]), range(len(samples)))
    except BitproofError:
        return 1.0
    return (int((~found.success).sum()) + 0.5) / (len(samples) + 1)


def _left_early(spec: str) -> Budget | None:
    """The ball of a cell's attack, if samples leave it as they fall and a float twin could tell how many do."""
    attack = standing(spec).get("tensor")
    if attack is None or not hasattr(built := noise(attack), "bill"):
        return None
    stays = getattr(built, "keep", "best") == "last" or getattr(built, "minimal", False)
    return None if stays else budget(attack)


def _work(spec: str, classes: int) -> float:
    """What a noise costs a sample at most, in float forwards."""
    built = noise(spec)
    if inner := getattr(built, "inner", None):
        return 2.0 + _work(inner, classes)
    if built.family == "evidence":
        return 3 * GRADIENT
    forwards, gradients = bill_of(built, classes)
    return forwards + (GRADIENT - 1) * gradients


def bill_of(built: Any, classes: int) -> tuple[int, int]:
    """Return the forwards and gradients of a sample that stands to the end; another package's attack has ``steps``."""
    if hasattr(built, "bill"):
        forwards, gradients = built.bill(classes)
        return forwards, gradients
    return (steps := getattr(built, "steps", 0)), steps


def pictures_of(cell: Cell) -> tuple[str, str, tuple[str, ...], str]:
    """What the pictures of a cell depend on: cells that agree in it share them."""
    return cell.variant.task, cell.variant.model, on_samples(cell.noise), cell.defense


def _forward_s(network: Network, batch_size: int, device: torch.device) -> float:
    """Seconds of one sample in a batch, the better of two: of the processor, or until the device is done."""
    like = probe_of(network)
    try:
        module = network.module if device == CPU or network.finished else copy.deepcopy(network.module).to(device)
        x = torch.zeros(batch_size, *like.shape[1:], dtype=like.dtype, device=next(module.parameters(), like).device)
        with torch.inference_mode():
            module(x[:1])
            seconds = _seconds if x.device == CPU else _seconds_until_done
            return min(seconds(lambda: module(x)) for _ in range(2)) / batch_size
    except Exception:  # its cells will fail, and tell why
        return 0.0


def _seconds(do: Callable[[], Any]) -> float:
    start = time.process_time()
    do()
    return time.process_time() - start


def _seconds_until_done(do: Callable[[], Any]) -> float:
    torch.accelerator.synchronize()
    start = time.perf_counter()
    do()
    torch.accelerator.synchronize()
    return time.perf_counter() - start
