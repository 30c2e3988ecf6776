"""What a training tells: one row an epoch, a line a step, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean loss in nats and accuracy over its training batches as the network was then, last rate, seconds.

    ``validation`` is what ``validate`` returned after it.
    """

    epoch: int
    loss: float
    accuracy: float
    lr: float
    time_s: float
    validation: float | None = None


@dataclass(frozen=True)
class Progress:
    """Where a training stands after a step: ``step`` of ``steps`` done; ``loss`` and ``accuracy`` of the epoch so far.

    ``time_s`` counts this and all earlier runs of the training.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    lr: float
    time_s: float

    @property
    def remaining_s(self) -> float:
        """Seconds left at the speed so far."""
        return self.time_s / self.step * (self.steps - self.step)

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch + 1}/{self.epochs}, step {self.step}/{self.steps}, loss {self.loss:.4f}, "
            f"accuracy {self.accuracy:.1%}, {self.remaining_s:.0f} s left"
        )


@dataclass(frozen=True)
class Trained:
    """The network, in evaluation mode; one row an epoch; seconds over all runs; whether a checkpoint was gone on from."""

    model: nn.Module
    history: list[Epoch]
    time_s: float
    resumed: bool


@dataclass
class State:
    """What a training remembers between two steps, besides weights and optimizer; sums run over the current epoch."""

    step: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    time_s: float = 0.0
    epoch_time_s: float = 0.0
    history: list[Epoch] = field(default_factory=list)

    def count(self, loss: float, correct: int, seen: int) -> None:
        """Add the sums of one batch."""
        self.loss += loss
        self.correct += correct
        self.seen += seen

    def spend(self, time_s: float) -> None:
        """Add the seconds that passed."""
        self.time_s += time_s
        self.epoch_time_s += time_s

    def close_epoch(self, lr: float, validation: float | None) -> None:
        """Turn the sums into a row of the history and start again from 0."""
        row = Epoch(len(self.history), self.loss / self.seen, self.correct / self.seen, lr, self.epoch_time_s, validation)
        self.history.append(row)
        self.loss, self.correct, self.seen, self.epoch_time_s = 0.0, 0, 0, 0.0
