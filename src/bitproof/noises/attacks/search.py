"""What every attack is: a search that asks a victim about inputs near the clean ones, and is billed for it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from bitproof.core import Attacked, Gradient, ModelError, ShapeError, SpecError, Victim
from bitproof.noises.attacks.norms import Norm


class Bill(NamedTuple):
    """What an attack asks of a sample that stands to the end: forwards, and how many of them are walked back."""

    queries: int
    gradients: int


#: Logits and the rows that they belong to → N values to be raised.
Objective = Callable[[Tensor, Tensor], Tensor]


class Account:
    """A batch under attack: the best input found for each row so far, and what the search has cost.

    Of inputs that do not fool, the one of highest cross-entropy is kept, whatever the search climbs: a row begins with an input
    ``best`` and its ``loss``. ``grad`` is the gradient mode, None where no gradient is asked for.
    """

    def __init__(self, victim: Victim, x: Tensor, y: Tensor, grad: str | None, best: Tensor, loss: Tensor) -> None:
        self.victim, self.x, self.y, self.grad = victim, x, y, grad
        self._mode = None if grad is None else Gradient.parse(grad)
        self.soften(0.0)
        self.best, self.loss = best, loss
        self.fooled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self.bills = torch.zeros(2, len(x), dtype=torch.long, device=x.device)
        self._open: list[Any] = [None, 0, 0]

    def soften(self, share: float) -> None:
        """Take gradients as they are to be taken after ``share`` of the steps: an annealed mode ends with the last one."""
        if self._mode is not None:
            self.victim = self.victim.with_gradient(str(self._mode.at(share)))

    def ask(self, rows: Tensor, x: Tensor, keep: str = "best") -> Tensor:
        """Run the victim on ``x``, the candidates of ``rows``, note what they are worth, and return the logits.

        ``keep``: ``best``; ``last`` takes every input in the place of the one before; ``none`` notes only the bill.
        """
        logits = self.look(x)
        self._bill(rows, gradients=0)
        self.note(rows, x, logits, keep)
        return logits

    def look(self, x: Tensor) -> Tensor:
        """Return the logits of ``x`` and note nothing, for a search that asks ahead and says itself what of it counts."""
        with torch.no_grad():
            logits: Tensor = self.victim.logits(x)
        return _sound(logits)

    def ask_gradient(self, rows: Tensor, x: Tensor, objective: Objective, keep: str = "best") -> tuple[Tensor, Tensor]:
        """The same, and return each sample's objective, N, and its gradient, of the shape of ``x``."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            logits = _sound(self.victim.logits(x))
            values = objective(logits, rows)
            (gradient,) = torch.autograd.grad(values.sum(), x)
        self._bill(rows, gradients=1)
        if not gradient.isfinite().all():
            raise ModelError("An attack met a gradient that is NaN or infinite; the network cannot be attacked at float32.")
        self.note(rows, x.detach(), logits.detach(), keep)
        return values.detach(), gradient

    def charge(self, rows: Tensor, queries: Tensor) -> None:
        """Bill ``rows`` for as many forwards each, N and N."""
        self.bills[0, rows] += queries

    def _bill(self, rows: Tensor, gradients: int) -> None:
        """Bill one forward of ``rows``; asked again about the same ones, a number is counted up and no tensor."""
        if rows is not self._open[0]:
            self.close()
            self._open = [rows, 0, 0]
        self._open[1] += 1
        self._open[2] += gradients

    def close(self) -> Tensor:
        """Return the bill, forwards and gradients of each row: 2×N."""
        rows, *counts = self._open
        if rows is not None:
            for bill, count in zip(self.bills, counts, strict=True):
                bill[rows] += count
        self._open = [None, 0, 0]
        return self.bills

    def note(self, rows: Tensor, x: Tensor, logits: Tensor, keep: str = "best") -> None:
        """Keep what ``x``, inputs within the budget whose ``logits`` are known, is worth, as ``ask`` does."""
        if keep == "none":
            return
        y = self.y[rows]
        loss = F.cross_entropy(logits, y, reduction="none")
        fooled = logits.argmax(dim=1) != y
        better = torch.ones_like(fooled) if keep == "last" else fooled | (loss > self.loss[rows])
        if better.any():
            taken = rows[better]
            self.best[taken], self.loss[taken], self.fooled[taken] = x[better], loss[better].to(self.loss.dtype), fooled[better]

    @property
    def done(self) -> Tensor:
        """Whether there is nothing left to look for, N."""
        return self.fooled

    def standing(self) -> Tensor:
        """Return the rows that are not done."""
        return (~self.done).nonzero().flatten()


def _sound(logits: Tensor) -> Tensor:
    if logits.isnan().any():
        raise ModelError("An attack met logits that are NaN: the network is damaged for an input within its bounds.")
    return logits


class Attempt(Account):
    """The batch that an attack was given, a row a sample; ``best`` starts as the clean batch, so that nothing worse is returned.

    ``clean`` are the logits of the clean batch, ``columns`` further columns of the rows, N each.
    """

    def __init__(self, victim: Victim, x: Tensor, y: Tensor, grad: str | None = None) -> None:
        low = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
        super().__init__(victim, x, y, grad, x.clone(), low)
        self.columns: dict[str, Tensor] = {}
        self.clean = self.ask(torch.arange(len(x), device=x.device), x)

    def targets(self, count: int) -> Sequence[Tensor]:
        """The ``count`` classes after the first by the clean logits, or as many as there are: each N, the likeliest first."""
        return list(self.clean.argsort(dim=1, descending=True).T[1 : count + 1])

    def result(self) -> Attacked:
        """What was found."""
        queries, gradients = self.close()
        return Attacked(self.best, self.fooled, queries, gradients, self.columns)


@dataclass
class Samples:
    """What a search remembers of the samples it works on: every field has one entry a sample, ``rows`` are their places."""

    rows: Tensor

    def standing(self, attempt: Account) -> Self:
        """Return these without the samples that have fallen."""
        stands = ~attempt.done[self.rows]
        return self if stands.all() else replace(self, **{f.name: getattr(self, f.name)[stands] for f in fields(self)})


class Search(ABC):
    """An attack: checks its batch, asks about the clean inputs, and lets ``search`` look for better ones.

    A sample that is misclassified to begin with is a success at its own place, and no work is done for it.
    A subclass is a frozen dataclass whose fields are the words of its spec.
    """

    eps: float
    grad: str = "ste"

    norm: ClassVar[Norm]
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs_gradient: ClassVar[bool] = True
    #: Whether labels alone are too little.
    needs_scores: ClassVar[bool] = True
    #: Whether it looks for the nearest input that fools and fills the column ``distance``.
    minimal: ClassVar[bool] = False
    #: Whether so much is asked that a float network is worth being made faster first, equal up to rounding.
    long: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(0 <= self.eps < math.inf, "eps", self.eps, "a finite number, 0 or more")
        self._read_grad()

    def _read_grad(self) -> None:
        """Give one gradient mode one name in every record."""
        if self.needs_gradient:
            object.__setattr__(self, "grad", str(Gradient.parse(self.grad)))

    @abstractmethod
    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Ask about inputs within the budget for the samples of ``attempt`` that stand; sample i draws from ``seeds[i]`` alone."""

    @abstractmethod
    def bill(self, classes: int) -> Bill:
        """What a sample costs that nothing fools, on a network of so many classes; the forward of the clean input apart."""

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Return an input near ``clean + delta`` that is inside the ball around ``clean`` and inside ``bounds``, N×…."""
        return (clean + self.norm.project(delta, self.eps)).clamp(*bounds)

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack a batch, as ``bitproof.core.Attack`` says. ``x`` is not changed.

        Raises SpecError for a victim without gradients, or without logits, where they are needed, ShapeError for inputs that are
        not as promised, ModelError on NaN.
        """
        check_batch(victim, x, y, seeds, self.kinds)
        if self.needs_scores and victim.labels_only:
            raise SpecError(
                f"{type(self).__name__} needs logits and this network tells labels alone. "
                "'hopskipjump-linf' and 'hopskipjump-l2' work on it, and 'noise-linf' as their control."
            )
        if self.needs_gradient and not victim.differentiable:
            raise SpecError(
                f"{type(self).__name__} needs a gradient and this network has none (ONNX, int8). "
                "'square-linf', 'hopskipjump-linf' and the other attacks by queries work on it, and 'noise-linf' as their control; "
                "a gradient attack can be run on its torch twin."
            )
        attempt = Attempt(victim, x.detach(), y, self.grad if self.needs_gradient else None)
        if self.minimal:
            attempt.columns["distance"] = attempt.loss.new_zeros(len(x))  # of what is wrong already
        if not attempt.fooled.all():
            self.search(attempt, seeds)
        return attempt.result()


def generators_of(seeds: Sequence[int]) -> list[Generator]:
    """One generator a sample, so that its numbers do not depend on the batch it is in."""
    return [Generator().manual_seed(seed) for seed in seeds]


def draw(norm: Norm, x: Tensor, generators: Sequence[Generator]) -> Tensor:
    """One point of the unit ball a sample, of the shape, type and device of ``x``."""
    return torch.stack([norm.inside(x.shape[1:], generator) for generator in generators]).to(x)


def check(good: bool, word: str, value: object, allowed: str) -> None:
    """Raise SpecError where a setting is not ``good``."""
    if not good:
        raise SpecError(f"{word}={value} is not possible for an attack: {word} must be {allowed}.")


def check_batch(victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int], kinds: Sequence[str]) -> None:
    """Raise ShapeError unless ``x`` is float N×… within bounds, N×C×H×W for pictures alone, and ``y`` and ``seeds`` are N."""
    low, high = victim.bounds
    shape, fits = ("N×C×H×W", x.ndim == 4) if tuple(kinds) == ("image",) else ("N×…", x.ndim >= 2)
    if not fits or not x.is_floating_point() or y.shape != x.shape[:1] or len(seeds) != len(x):
        found = f"{x.dtype} {tuple(x.shape)}, {tuple(y.shape)} and {len(seeds)}"
        raise ShapeError(f"An attack takes x: float {shape}, y: N and N seeds; found {found}.")
    if len(x) and not (low <= float(x.min()) and float(x.max()) <= high):
        raise ShapeError(f"An attack's input must lie in [{low}, {high}], found {float(x.min()):.3f} to {float(x.max()):.3f}.")
