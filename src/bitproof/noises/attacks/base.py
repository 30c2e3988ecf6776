"""The ascent of fixed steps that FGSM, PGD and MIM share. A method says how a gradient becomes a direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.noises.attacks.losses import LOSSES, tempered
from bitproof.noises.attacks.search import Attempt, Bill, Objective, Search, check, draw, generators_of

KEEP = ("best", "last")


class GradientAttack(Search):
    """Projected ascent on a loss, from the clean input or from a random one, ``restarts`` times.

    ``x ← place(x₀, x + step·direction(v) − x₀)`` with ``place(x₀, δ) = clip(x₀ + project(δ))`` and ``v`` the gradient, or what
    ``accumulate`` makes of it.

    With ``keep=best`` a sample leaves the batch at the first iterate that fools; one that never does gets the iterate of highest
    cross-entropy. With ``keep=last`` all steps are walked and the last iterate is judged, as in the protocols of foolbox and
    RobustART. ``loss`` is ``ce``, ``dlr`` or ``margin``, of the logits divided by ``temperature``.

    A subclass is a frozen dataclass whose fields are the words of its spec; what it leaves out is fixed at the values below.
    """

    steps: int = 1
    step: float | None = None
    restarts: int = 1
    start: bool = False
    keep: str = "best"
    loss: str = "ce"
    temperature: float = 1.0

    kinds: ClassVar[tuple[str, ...]] = ("image", "keyword", "text", "points")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.steps >= 1, "steps", self.steps, "1 or more")
        check(self.step is None or self.step > 0, "step", self.step, "above 0 (absolute, in units of the input)")
        check(self.restarts >= 1, "restarts", self.restarts, "1 or more")
        check(self.restarts == 1 or self.start, "restarts", self.restarts, "1 where start=false: all restarts would be the same")
        check(self.keep in KEEP, "keep", self.keep, ", ".join(KEEP))
        check(self.loss in LOSSES, "loss", self.loss, ", ".join(LOSSES))
        check(0 < self.temperature < float("inf"), "temperature", self.temperature, "a finite number above 0")

    @property
    def step_size(self) -> float:
        """Length of a step: ``step``, or 0.075·eps."""
        return 0.075 * self.eps if self.step is None else self.step

    def accumulate(self, velocity: Tensor, gradient: Tensor) -> Tensor:
        """Return the ascent's next velocity, N×…; without memory it is the gradient."""
        return gradient

    def bill(self, classes: int) -> Bill:
        """A gradient a step, and a forward at the end of each restart."""
        return Bill(self.restarts * (self.steps + 1), self.restarts * self.steps)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Climb ``restarts`` times from the samples that stand."""
        loss = tempered(LOSSES[self.loss], self.temperature)
        check_classes(attempt, self.loss)
        generators = generators_of(seeds)
        for _ in range(self.restarts):
            self._climb(attempt, attempt.standing(), generators, lambda z, rows: loss(z, attempt.y[rows]))

    def _climb(self, attempt: Attempt, rows: Tensor, generators: Sequence[Generator], objective: Objective) -> None:
        """One restart for ``rows``; with ``keep=best`` they become fewer as they fall."""
        x = self._first(attempt, rows, generators)
        velocity = torch.zeros_like(x)
        for i in range(self.steps):
            if not len(rows):
                return
            attempt.soften(i / max(1, self.steps - 1))
            velocity = self.accumulate(velocity, attempt.ask_gradient(rows, x, objective, self.keep)[1])
            if self.keep == "best":
                stands = ~attempt.fooled[rows]
                rows, x, velocity = rows[stands], x[stands], velocity[stands]
            clean = attempt.x[rows]
            moved = x + self.step_size * self.scale(clean) * self.norm.direction(velocity)
            x = self.place(clean, moved - clean, attempt.victim.bounds)
        if len(rows):
            attempt.ask(rows, x, self.keep)

    def scale(self, clean: Tensor) -> Tensor | float:
        """What radius and step are multiplied by for each sample of ``clean``, N×1×…; 1 where they are absolute."""
        return 1.0

    def _first(self, attempt: Attempt, rows: Tensor, generators: Sequence[Generator]) -> Tensor:
        clean = attempt.x[rows]
        if not self.start or not len(rows):
            return clean
        delta = draw(self.norm, clean, [generators[i] for i in rows.tolist()]) * (self.eps * self.scale(clean))
        return self.begin(clean, delta, attempt.victim.bounds)

    def begin(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Return where a random start is made of a point of the ball, N×…."""
        return self.place(clean, delta, bounds)


def check_classes(attempt: Attempt, loss: str) -> None:
    """Raise SpecError where a loss needs more classes than the network has."""
    needed = {"dlr": 3, "targeted dlr": 4}.get(loss, 2)
    found = attempt.clean.shape[1]
    check(found >= needed, "loss", loss, f"another one: it needs {needed} classes and the network has {found}")
