"""One optimizer step: forward, loss, backward over its batches, hooks before it, checks in between."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bitproof.convert import thinnable
from bitproof.core import DataError, ModelError, Penalized, Scheduled, ShapeError, SpecError, Staged, seed
from bitproof.training.data import Cut, to_float
from bitproof.training.losses import divergence, task_loss
from bitproof.training.matching import Watch, matched, matching
from bitproof.training.optimizer import make_optimizer
from bitproof.training.settings import Training

#: (model, x, y) → what is trained on instead of x: adversarial training.
Perturb = Callable[[nn.Module, Tensor, Tensor], Tensor]

#: How far a number may be off and still count as right.
HALF = 0.5

#: Sums over a batch: loss, hits, samples.
Sums = tuple[float, int, int]


class Step:
    """A network with its optimizer, and all that happens to them in a step."""

    def __init__(
        self,
        network: nn.Module,
        settings: Training,
        run_seed: int,
        accelerator: Accelerator,
        teacher: nn.Module | None = None,
        perturb: Perturb | None = None,
    ) -> None:
        self.network, self.settings, self.seed, self.accelerator = network, settings, run_seed, accelerator
        self.teacher = teacher.eval() if teacher is not None else None
        self.perturb = perturb
        self.thinned = _Depths(network, settings)
        self.match = matching(settings.match) if settings.match is not None else None
        self.watched = [Watch(net, self.match.at) for net in (network, self.teacher) if self.match is not None and net is not None]
        self.model, self.optimizer = accelerator.prepare(network, make_optimizer(network, settings))
        # Classes are asked: a wrapper that passes on attributes would count its layer's hooks a second time.
        self.scheduled = [m for m in network.modules() if isinstance(m, Scheduled) and hasattr(type(m), "on_step")]
        self.staged = [m for m in network.modules() if isinstance(m, Staged) and hasattr(type(m), "keep_weight_float")]
        self.penalized = [m for m in network.modules() if isinstance(m, Penalized) and hasattr(type(m), "penalty")]

    def __call__(self, step: int, share_done: float, lr: float, parts: Iterable[tuple[Cut, Tensor, Tensor]]) -> list[Sums]:
        """Take optimizer step ``step`` at rate ``lr`` over ``parts``; returns the sums of each, over all processes."""
        # The draws of a step follow from its number, so they are the same after an interruption.
        _seed(self.accelerator.device, seed(self.seed, "step", step, self.accelerator.process_index))
        for module in self.scheduled:
            module.on_step(share_done)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad()
        sums = [self._backward(cut, x, y, lr) for cut, x, y in parts]
        if self.settings.grad_clip is not None:
            self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.grad_clip)
        self.optimizer.step()
        return sums

    def stage(self, first: bool, begins: bool) -> None:
        """Be in the first or the second stage; ``begins`` it, and the optimizer remembers nothing."""
        for module in self.staged:
            module.keep_weight_float(first)
        if begins:
            self.optimizer.state.clear()

    def _backward(self, cut: Cut, x: Tensor, y: Tensor, lr: float) -> Sums:
        device = self.accelerator.device
        labels, x = y, to_float(x.to(device, non_blocking=True))
        y = y.to(device, torch.float32 if y.is_floating_point() else torch.long, non_blocking=True)
        attacked = x if self.perturb is None else _perturbed(self.perturb, self.network, x, y)
        # Processes exchange gradients once a step: with its last batch.
        with contextlib.nullcontext() if cut.last else self.accelerator.no_sync(self.model):
            learned = x if self.settings.trades else attacked
            parts = [self._part(depth, weight, learned, attacked, labels, y, cut) for depth, weight in self.thinned]
            logits, loss = parts[0]
            for _, part in parts[1:]:
                loss = loss + part
            for module in self.penalized:
                loss = loss + module.penalty()
            sums = self._sums(loss.detach(), logits.detach(), y)
            _check_loss(sums[0], cut, lr)
            self.accelerator.backward(loss * cut.share)
        return sums

    def _part(
        self, depth: int | None, weight: float, x: Tensor, attacked: Tensor, labels: Tensor, y: Tensor, cut: Cut
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of ``x`` and the loss at one depth; what modules pay is not in it."""
        with self.thinned.at(depth):
            for watch in self.watched:
                watch.take()  # what validation, an attack or another depth left
            logits, teacher = self._logits(x)
            _check_logits(logits, labels, cut)
            loss = task_loss(logits, y, teacher, self.settings)
            if self.match is not None:
                student, taught = (watch.take() for watch in self.watched)
                loss = loss + matched(self.match, student, taught, x)
            if self.settings.trades:
                loss = loss + self.settings.trades * divergence(logits, self._logits(attacked, taught=False)[0])
        return logits, loss if depth is None else weight * loss

    def close(self) -> None:
        """Leave the networks as they were found."""
        for watch in self.watched:
            watch.close()

    def _logits(self, x: Tensor, taught: bool = True) -> tuple[Tensor, Tensor | None]:
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.settings.precision == "bf16"):
            logits = self.model(x)
            if self.teacher is None or not taught:
                return logits.float(), None
            with torch.no_grad():
                teacher = self.teacher(x)
        if teacher.shape != logits.shape:
            raise ShapeError(f"The teacher gives logits {_shape(teacher)}, the network {_shape(logits)}; they must be alike.")
        return logits.float(), teacher.float()

    def _sums(self, loss: Tensor, logits: Tensor, y: Tensor) -> Sums:
        hits = ((logits[:, 0] - y).abs() <= HALF if y.is_floating_point() else logits.argmax(1) == y).sum()
        sums = torch.stack([loss.double() * len(y), hits.double(), torch.full_like(hits, len(y)).double()])
        total, correct, seen = self.accelerator.reduce(sums).tolist()
        return total, int(correct), int(seen)


class _Depths:
    """The depths that a network is trained at; one, None, where the settings name none. Raises SpecError."""

    def __init__(self, network: nn.Module, settings: Training) -> None:
        self.pairs = settings.at_depths()
        self.module = thinnable(network) if self.pairs else None
        if self.pairs and self.module is None:
            raise SpecError(f"Training: depths={settings.depths!r} needs a thinnable network, such as bifsmn.")
        for depth, _ in self.pairs:
            if self.module is not None and depth not in self.module.depths:
                raise SpecError(f"Training: the network has no depth {depth}: {', '.join(map(str, self.module.depths))}.")

    def __iter__(self) -> Iterator[tuple[int | None, float]]:
        return iter(self.pairs or [(None, 1.0)])

    @contextlib.contextmanager
    def at(self, depth: int | None) -> Iterator[None]:
        """Run at ``depth`` for a while."""
        if self.module is None or depth is None:
            yield
            return
        own = self.module.depth
        self.module.set_depth(depth)
        try:
            yield
        finally:
            self.module.set_depth(own)


def _seed(device: torch.device, value: int) -> None:
    """Seed the generators that a step draws from; ``torch.manual_seed`` would reach those of all other devices too."""
    torch.default_generator.manual_seed(value)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(value)


def _perturbed(perturb: Perturb, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    perturbed = perturb(network, x, y).detach()
    if perturbed.shape != x.shape:
        raise ShapeError(f"perturb returned {_shape(perturbed)} for a batch of {_shape(x)}; it must keep the shape.")
    return perturbed


def _check_logits(logits: Tensor, labels: Tensor, cut: Cut) -> None:
    if logits.ndim != 2 or len(logits) != len(labels):
        raise ShapeError(f"The network must return logits {len(labels)}×classes, found {_shape(logits)}.")
    classes = logits.shape[1]
    if labels.is_floating_point():
        if classes != 1:
            raise ShapeError(f"The training data ask for a number, and the network has {classes} outputs; it needs 1.")
        return
    low, high = (int(end) for end in labels.aminmax())
    if low < 0 or high >= classes:
        label = low if low < 0 else high
        index = cut.indices[labels.tolist().index(label)]
        raise DataError(
            f"Training sample {index} has label {label}; the network has {classes} logits, so labels must be 0 to {classes - 1}. "
            "Check the data's labels, or give a network with as many classes."
        )


def _check_loss(loss: float, cut: Cut, lr: float) -> None:
    if not math.isfinite(loss):
        raise ModelError(
            f"The training loss became {loss} at step {cut.step} (epoch {cut.epoch}, learning rate {lr:.3g}). "
            "Try a lower lr, a longer warmup_epochs, or grad_clip=1.0."
        )


def _shape(x: Tensor) -> str:
    return "×".join(map(str, x.shape))
