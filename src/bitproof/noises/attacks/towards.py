"""Several classes at once: what an attack that goes towards one class after the other does while few samples stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bitproof.noises.attacks.search import Account, Attempt

#: A batch as large is worked on at full speed: samples are tried towards several classes at once until there are so many rows.
TOGETHER = 32


class Towards(Account):
    """Samples of ``whole``, each tried towards several classes at once: a row a class and sample, all samples of a class in a row.

    A few samples make a small batch, in which most of the time is not spent on arithmetic. What ``join`` puts down is what one
    class after the other finds: of several classes that fool a sample the first counts, and nothing that was asked beyond it.
    ``target`` are the classes, ``sample`` the rows of ``whole``, both of the length of the batch.
    """

    def __init__(self, whole: Attempt, samples: Tensor, targets: Sequence[Tensor]) -> None:
        self.whole, self.sample = whole, samples.repeat(len(targets))
        self.target = torch.cat([target[samples] for target in targets])
        self._shape = len(targets), len(samples)
        self._past = torch.zeros_like(self.sample, dtype=torch.bool)
        i = self.sample
        super().__init__(whole.victim, whole.x[i], whole.y[i], whole.grad, whole.best[i], whole.loss[i])

    @property
    def done(self) -> Tensor:
        """Whether the sample has fallen towards this class or an earlier one."""
        return self._past

    def note(self, rows: Tensor, x: Tensor, logits: Tensor, keep: str = "best") -> None:
        """Keep what ``x`` is worth, and see whether later classes are done with it."""
        super().note(rows, x, logits, keep)
        self._past = (self.fooled.view(self._shape).cumsum(dim=0) > 0).flatten()

    def join(self) -> None:
        """Put down in ``whole`` what was found, a class after the other."""
        whole, bills = self.whole, self.close()
        whole.close()
        for each in torch.arange(len(self.sample), device=self.sample.device).view(self._shape):
            rows = each[~whole.fooled[self.sample[each]]]
            whole.bills[:, self.sample[rows]] += bills[:, rows]
            better = rows[self.fooled[rows] | (self.loss[rows] > whole.loss[self.sample[rows]])]
            samples = self.sample[better]
            whole.best[samples], whole.loss[samples] = self.best[better], self.loss[better]
            whole.fooled[samples] = self.fooled[better]


def towards(attempt: Attempt, targets: Sequence[Tensor]) -> Iterator[Towards]:
    """Yield what still stands towards one class after the other, or several at once where few do; each is joined afterwards."""
    while targets:
        rows = attempt.standing()
        if not len(rows):
            return
        count = max(1, TOGETHER // len(rows))
        side = Towards(attempt, rows, targets[:count])
        yield side
        side.join()
        targets = targets[count:]
