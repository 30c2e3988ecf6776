"""Networks that give logits of a sample, made low-bit here; what differs by the kind of input is asked of ``inputs``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast

import cv2
import torch

from bitproof.analysis import parted
from bitproof.bench.ahead import Ahead, Job, Times
from bitproof.bench.cache import SampleCache
from bitproof.bench.cell import pictures_job, run_cell
from bitproof.bench.costs import NetworkCosts
from bitproof.bench.fit import check_attackable, check_rewritable, misfit
from bitproof.bench.gallery import write_gallery
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.inputs import Inputs, inputs_of
from bitproof.bench.keeping import Keeper
from bitproof.bench.kind import Prediction, Tell
from bitproof.bench.labelfree import Answered, Batched, answers
from bitproof.bench.plan import Plan
from bitproof.bench.predicting import predict_networks
from bitproof.bench.shields import Shields
from bitproof.bench.variants import Variants
from bitproof.bench.victims import Victims
from bitproof.bench.worn import Through, Worn
from bitproof.core import SampleRow, SpecError, Strike, Victim
from bitproof.export import low_bit_layers
from bitproof.models import Network, TorchVictim
from bitproof.results import Store
from bitproof.tasks import Sample, Scored, Task
from bitproof.training import Training

Following = Callable[[], Job | None]


class NetworkKind:
    """Samples with classes."""

    def check(self, plan: Plan) -> None:
        """Refuse endpoints, sessions that should be made low-bit, and data of other classes."""
        if plan.endpoints:
            raise SpecError(
                f"{next(iter(plan.endpoints))!r} is a chat endpoint without logits: it takes tasks such as vqa/pack:embedded."
            )
        for spec, network in plan.networks.items():
            _check_network(plan, spec, network)

    def misfit(self, part: str, task: Task, model: Network) -> str | None:
        """See ``fit.misfit``."""
        return misfit(part, task, model)

    def check_noise(self, spec: str, model: Network) -> None:
        """See ``fit``."""
        check_attackable(spec, model)
        check_rewritable(spec, model)

    def pace(self, plan: Plan) -> tuple[int, int]:
        """Both move the last digits of a logit."""
        return plan.grid.batch_size, plan.threads

    def costs(self, plan: Plan) -> NetworkCosts:
        """Measured forwards and pictures."""
        return NetworkCosts(plan)

    def predict(self, plan: Plan, before: Collection[str], device: torch.device) -> Prediction:
        """Sum them up."""
        return predict_networks(plan, before, device)

    def evaluator(self, plan: Plan, store: Store, tell: Tell, device: torch.device) -> NetworkEvaluator:
        """Makes variants where they are missing, and shows them pictures."""
        return NetworkEvaluator(plan, store, tell, device)


def _check_network(plan: Plan, spec: str, network: Network) -> None:
    if network.finished and set(map(str, plan.recipes)) != {"fp32"}:
        what = f"comes from {network.made_by} as it is" if network.made_by else "is a finished session"
        raise SpecError(
            f"{spec!r} {what} and can be neither trained nor made low-bit. "
            "Give it a grid of its own (after a line '---') with recipes: [fp32]."
        )
    if low_bit_layers(network.module) and set(map(str, plan.recipes)) != {"fp32"}:
        raise SpecError(
            f"{spec!r} is low-bit already: as given is the one recipe that it takes. "
            "Give it a grid of its own (after a line '---') with recipes: [fp32]."
        )
    if network.of is not None:
        _check_control(plan, spec, network.of)
    for task in plan.tasks.values():
        if task.kind != network.form.kind:
            raise SpecError(f"{spec!r} takes samples of the kind {network.form.kind!r}, and {task.spec!r} is of {task.kind!r}.")
        task.data.check_classes(network.classes)
    if plan.train_source is not None:
        plan.train_source.data.check_classes(network.classes)
    inputs = inputs_of(network.form)
    if plan.grid.training is not None:
        _check_training(plan.grid.training, inputs, network)
    inputs.check(network, plan)


def _check_control(plan: Plan, spec: str, of: str) -> None:
    controls = [name for name, network in plan.networks.items() if network.of is None]
    if of not in controls:
        raise SpecError(
            f"{spec!r}: of={of!r} names no model of this grid that stands for itself. "
            f"There are: {', '.join(map(repr, controls)) or 'none'}."
        )


def _check_training(training: Training, inputs: Inputs, network: Network) -> None:
    kind = network.form.kind
    if training.augment not in inputs.augments:
        raise SpecError(
            f"training.augment={training.augment!r} means nothing for samples of the kind {kind!r}. "
            f"Allowed: {', '.join(inputs.augments)}."
        )
    if training.adversarial and not inputs.adversarial:
        raise SpecError(
            f"training.adversarial is for pictures, and {network.spec!r} takes samples of the kind {kind!r}. Leave it out."
        )
    if training.mix and kind != "keyword":
        raise SpecError(f"training.mix is for recordings, and {network.spec!r} takes samples of the kind {kind!r}. Leave it out.")
    if training.jitter and kind != "image":
        raise SpecError(f"training.jitter shifts colours, and {network.spec!r} takes samples of the kind {kind!r}.")


class NetworkEvaluator:
    """Runs cells of networks: pictures are made ahead in threads, a long cell's finished batches are stored before it is done."""

    def __init__(self, plan: Plan, store: Store, tell: Tell, device: torch.device) -> None:
        self.plan, self.store, self.cache = plan, store, SampleCache(plan.grid.cache_mb << 20)
        self.variants = Variants(plan, store, self.cache, tell)
        self.shields = Shields(self.variants, store, device)
        self.victims = Victims(self.variants, self.shields, device)

    def __enter__(self) -> NetworkEvaluator:
        with ExitStack() as stack:
            stack.enter_context(_threads(self.plan.threads))
            self._ahead = stack.enter_context(Ahead(self.plan.threads))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def made(self, variant: Variant) -> bool:
        """Whether the variant is on disk."""
        return self.variants.made(variant)

    def make(self, variant: Variant) -> None:
        """Calibrate or train it."""
        self.variants.victim(variant)

    def rows(self, cell: Cell, then: Cell | None, times: Times, advance: Callable[[int], None]) -> list[SampleRow]:
        """Show the cell's pictures to its network; batches that an earlier run stored are not run again."""
        begun = self.store.part(cell.id)
        advance(len(begun))
        keep = Keeper(self.store, cell.id, len(begun))
        return begun + self._run(cell, len(begun), None, times, lambda: self._next(then), advance, keep)

    def piece(self, cell: Cell, first: int, last: int, times: Times) -> list[SampleRow]:
        """Show some of the cell's pictures to its network."""
        return self._run(cell, first, last, times)

    def _run(
        self, cell: Cell, first: int, last: int | None, times: Times, following: Following = lambda: None, *listeners: Any
    ) -> list[SampleRow]:
        victim, worn = self.victims.of(cell), self.shields.worn(cell)
        task = cast(Scored, self.plan.tasks[cell.variant.task])
        if worn and parted(cell.defense)[1] == "argmax":
            found = self._answers(cell, worn, victim, (first, last), times)
            return run_cell(cell, task, cast(TorchVictim, Answered()), None, found, *listeners)
        batches: Batched = self._ahead.batches(self._pictures(cell, worn, first, last), times, following)
        strike = self.victims.attack(cell)
        if worn and worn.at == "after":
            batches = batches if strike else worn.on_batches(batches)
            strike = Through(worn, partial(self._attack, cell)) if strike else None
        run = partial(run_cell, shown=worn.shown if worn else unknown)
        return run(cell, task, victim, strike, batches, *listeners)

    def _attack(self, cell: Cell, behind: Callable[[Victim], Victim]) -> Strike:
        return cast(Strike, self.victims.attack(cell, behind))

    def _answers(self, cell: Cell, worn: Worn, victim: TorchVictim, span: tuple[int, int | None], times: Times) -> Batched:
        """The cell's samples with each class's patch in turn, and without any where some class has none."""
        fit = self.plan.fit(cell)

        def shown(label: int | None) -> Batched:
            each = None if label is None else worn.told(label)
            batches = self._ahead.batches(self._pictures(cell, each, *span), times)
            return each.on_batches(batches) if each and worn.at == "after" else batches

        return answers(victim, fit.labels if fit else (), shown, self.plan.networks[cell.variant.model].classes)

    def finish(self) -> None:
        """Store the thumbnails."""
        write_gallery(self.plan, self.store, self.victims, self.shields, self.cache)

    def _pictures(self, cell: Cell, worn: Worn | None, first: int, last: int | None = None) -> Job:
        return pictures_job(cell, self.plan, self.cache, first, last, worn if worn and worn.at == "before" else None)

    def _next(self, cell: Cell | None) -> Job | None:
        """The pictures to begin with already; none before a variant is made, since its latency is measured in quiet."""
        if cell is None or not self.variants.made(cell.variant) or not self.shields.made(cell):
            return None
        worn, fit = self.shields.worn(cell), self.plan.fit(cell)
        if worn and fit and parted(cell.defense)[1] == "argmax":
            worn = worn.told(fit.labels[0])  # the first of those that are tried
        return self._pictures(cell, worn, len(self.store.part(cell.id)))


def unknown(sample: Sample) -> int | None:
    """Nobody gives the class away."""
    return None


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use ``count`` threads for a forward; OpenCV stays at one, since pictures are made in parallel already."""
    before, before_cv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(before_cv)
