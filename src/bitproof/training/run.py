"""One optimizer step after another; it can stop after each and goes on bit for bit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor, nn

from bitproof.training import checkpoint
from bitproof.training.data import Cut, Order, Samples, batches, steps_per_epoch
from bitproof.training.history import Progress, State
from bitproof.training.schedule import learning_rate
from bitproof.training.step import Step


class Run:
    """A training under way: the step, its data, where it stands, and the file that it goes on from."""

    def __init__(self, step: Step, data: Samples, path: Path | None) -> None:
        self.step, self.data, self.path = step, data, path
        self.settings, self.accelerator = step.settings, step.accelerator
        self.per_epoch = steps_per_epoch(len(data), self.settings)
        self.steps = self.settings.epochs * self.per_epoch
        self.state = State()
        self._seen_s = time.monotonic()
        self.identity = {"settings": self.settings.identity(), "seed": str(step.seed), "number of samples": str(len(data))}

    def resume(self) -> bool:
        """Go on from the checkpoint if there is one; returns whether there was."""
        if self.path is None or not self.path.exists():
            return False
        self.state = checkpoint.load(self.path, self.identity, self.step.network, self.step.optimizer)
        return True

    def go(self, validate: Callable[[nn.Module], float] | None, progress: Callable[[Progress], None] | None, workers: int) -> None:
        """Take all steps that are left."""
        order = Order(len(self.data), self.settings, self.step.seed, self.state.step, self._split)
        loader = batches(self.data, order, workers, pin=self.accelerator.device.type == "cuda")
        self.step.network.train()
        self._seen_s = saved_s = time.monotonic()
        for step, parts in itertools.groupby(loader, lambda part: part[0].step):
            report = self._take(step, parts)
            ends_epoch = report.step % self.per_epoch == 0
            if ends_epoch:
                self._close_epoch(report.lr, validate)
            if ends_epoch or self._seen_s - saved_s >= self.settings.checkpoint_every_s:
                self._save()
                saved_s = self._seen_s
            if progress is not None and self.accelerator.is_main_process:
                progress(report)

    def _take(self, step: int, parts: Iterable[tuple[Cut, Tensor, Tensor]]) -> Progress:
        lr = learning_rate(self.settings, step, self.per_epoch)
        if first := self.settings.two_stage * self.per_epoch:
            self.step.stage(step < first, begins=step == first)
        for sums in self.step(step, step / self.steps, lr, parts):
            self.state.count(*sums)
        self.state.step = step + 1
        self._spend()
        state, epoch = self.state, step // self.per_epoch
        loss, accuracy = state.loss / state.seen, state.correct / state.seen
        return Progress(epoch, self.settings.epochs, state.step, self.steps, loss, accuracy, lr, state.time_s)

    def _close_epoch(self, lr: float, validate: Callable[[nn.Module], float] | None) -> None:
        validation = None
        if validate is not None:
            validation = float(validate(self.step.network.eval()))
            self.step.network.train()
        self._spend()
        self.state.close_epoch(lr, validation)

    def _save(self) -> None:
        if self.path is not None and self.accelerator.is_main_process:
            checkpoint.save(self.path, self.identity, self.step.network, self.step.optimizer, self.state)

    def _spend(self) -> None:
        now = time.monotonic()
        self.state.spend(now - self._seen_s)
        self._seen_s = now

    def _split(self, indices: list[int]) -> list[int]:
        with self.accelerator.split_between_processes(indices, apply_padding=True) as part:
            return list(part)
