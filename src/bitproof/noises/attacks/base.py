"""The ascent that all gradient attacks share. A method says how a gradient becomes a direction, and its norm does the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from bitproof.core import Attacked, Gradient, ModelError, ShapeError, SpecError, Victim
from bitproof.noises.attacks.norms import Norm

KEEP = ("best", "last")


class Attempt:
    """A batch under attack: the best input found for each sample so far, and what the search has cost.

    ``best`` starts as the clean batch, so that a search never returns less than it was given.
    """

    def __init__(self, victim: Victim, x: Tensor, y: Tensor) -> None:
        self.victim, self.x, self.y = victim, x, y
        self.best = x.clone()
        self.loss = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
        self.fooled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self.queries = torch.zeros(len(x), dtype=torch.long, device=x.device)
        self.gradients = torch.zeros(len(x), dtype=torch.long, device=x.device)

    def ask(self, rows: Tensor, x: Tensor, keep: str) -> None:
        """Run the victim on ``x``, the candidates of ``rows``, and note what they are worth."""
        with torch.no_grad():
            self._note(rows, x, self.victim.logits(x), keep)

    def ask_gradient(self, rows: Tensor, x: Tensor, keep: str) -> Tensor:
        """The same, and return the gradient of each sample's cross-entropy, of the shape of ``x``."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            logits = self.victim.logits(x)
            (gradient,) = torch.autograd.grad(F.cross_entropy(logits, self.y[rows], reduction="sum"), x)
        self._note(rows, x.detach(), logits.detach(), keep)
        self.gradients[rows] += 1
        if not gradient.isfinite().all():
            raise ModelError("An attack met a gradient that is NaN or infinite; the network cannot be attacked at float32.")
        return gradient

    def _note(self, rows: Tensor, x: Tensor, logits: Tensor, keep: str) -> None:
        loss = F.cross_entropy(logits, self.y[rows], reduction="none")
        if loss.isnan().any():
            raise ModelError("An attack met a loss that is NaN: the network's logits are damaged for an input within its bounds.")
        fooled = logits.argmax(dim=1) != self.y[rows]
        better = torch.ones_like(fooled) if keep == "last" else fooled | (loss > self.loss[rows])
        taken = rows[better]
        self.best[taken], self.loss[taken], self.fooled[taken] = x[better], loss[better].to(self.loss.dtype), fooled[better]
        self.queries[rows] += 1

    def standing(self) -> Tensor:
        """Return the samples that no input has fooled yet."""
        return (~self.fooled).nonzero().flatten()

    def result(self) -> Attacked:
        """What was found."""
        return Attacked(self.best, self.fooled, self.queries, self.gradients)


class GradientAttack:
    """Projected ascent on the cross-entropy, from the clean input or from a random one, ``restarts`` times.

    ``x ← place(x₀, x + step·direction(v) − x₀)`` with ``place(x₀, δ) = clip(x₀ + project(δ))`` and ``v`` the gradient, or what
    ``accumulate`` makes of it.

    A sample that is misclassified to begin with is a success at its own place, and no work is done for it. With ``keep=best`` a
    sample leaves the batch at the first iterate that fools; one that never does gets the iterate of highest loss. With
    ``keep=last`` all steps are walked and the last iterate is judged, as in the protocols of foolbox and RobustART.

    A subclass is a frozen dataclass whose fields are the words of its spec; what it leaves out is fixed at the values below.
    """

    eps: float
    steps: int = 1
    step: float | None = None
    restarts: int = 1
    start: bool = False
    grad: str = "ste"
    keep: str = "best"

    norm: ClassVar[Norm]
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    needs_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(0 <= self.eps < math.inf, "eps", self.eps, "a finite number, 0 or more")
        check(self.steps >= 1, "steps", self.steps, "1 or more")
        check(self.step is None or self.step > 0, "step", self.step, "above 0 (absolute, in units of the input)")
        check(self.restarts >= 1, "restarts", self.restarts, "1 or more")
        check(self.restarts == 1 or self.start, "restarts", self.restarts, "1 where start=false: all restarts would be the same")
        object.__setattr__(self, "grad", str(Gradient.parse(self.grad)))  # one mode has one name in every record
        check(self.keep in KEEP, "keep", self.keep, ", ".join(KEEP))

    @property
    def step_size(self) -> float:
        """Length of a step: ``step``, or 0.075·eps."""
        return 0.075 * self.eps if self.step is None else self.step

    def accumulate(self, velocity: Tensor, gradient: Tensor) -> Tensor:
        """Return the ascent's next velocity, N×…; without memory it is the gradient."""
        return gradient

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Return an input near ``clean + delta`` that is inside the ball around ``clean`` and inside ``bounds``, N×…."""
        return (clean + self.norm.project(delta, self.eps)).clamp(*bounds)

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack a batch, as ``bitproof.core.Attack`` says. ``x`` is not changed.

        Raises SpecError for a victim without gradients, ShapeError for inputs that are not as promised, ModelError on NaN.
        """
        check_batch(victim, x, y, seeds)
        if not victim.differentiable:
            raise SpecError(
                f"{type(self).__name__} needs a gradient and this network has none (ONNX, int8). "
                "'noise-linf' and 'noise-l2' work on it; a gradient attack can be run on its torch twin."
            )
        attempt = Attempt(victim.with_gradient(self._mode(0)), x.detach(), y)
        attempt.ask(torch.arange(len(x), device=x.device), attempt.x, "best")
        generators = generators_of(seeds)
        for _ in range(self.restarts):
            self._climb(attempt, attempt.standing(), generators)
        return attempt.result()

    def _climb(self, attempt: Attempt, rows: Tensor, generators: Sequence[Generator]) -> None:
        """One restart for ``rows``; with ``keep=best`` they become fewer as they fall."""
        x = self._first(attempt, rows, generators)
        velocity = torch.zeros_like(x)
        for i in range(self.steps):
            if not len(rows):
                return
            attempt.victim = attempt.victim.with_gradient(self._mode(i))
            velocity = self.accumulate(velocity, attempt.ask_gradient(rows, x, self.keep))
            if self.keep == "best":
                stands = ~attempt.fooled[rows]
                rows, x, velocity = rows[stands], x[stands], velocity[stands]
            clean = attempt.x[rows]
            moved = x + self.step_size * self.norm.direction(velocity)
            x = self.place(clean, moved - clean, attempt.victim.bounds)
        if len(rows):
            attempt.ask(rows, x, self.keep)

    def _mode(self, i: int) -> str:
        """The gradient mode of step ``i``: an annealed one ends with the last step."""
        return str(Gradient.parse(self.grad).at(i / max(1, self.steps - 1)))

    def _first(self, attempt: Attempt, rows: Tensor, generators: Sequence[Generator]) -> Tensor:
        clean = attempt.x[rows]
        if not self.start or not len(rows):
            return clean
        delta = draw(self.norm, clean, [generators[i] for i in rows.tolist()]) * self.eps
        return self.place(clean, delta, attempt.victim.bounds)


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


def check_batch(victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> None:
    """Raise ShapeError unless ``x`` is float N×C×H×W within bounds, and ``y`` and ``seeds`` are N."""
    low, high = victim.bounds
    if x.ndim != 4 or not x.is_floating_point() or y.shape != x.shape[:1] or len(seeds) != len(x):
        found = f"{x.dtype} {tuple(x.shape)}, {tuple(y.shape)} and {len(seeds)}"
        raise ShapeError(f"An attack takes x: float N×C×H×W, y: N and N seeds; found {found}.")
    if len(x) and not (low <= float(x.min()) and float(x.max()) <= high):
        raise ShapeError(f"An attack's input must lie in [{low}, {high}], found {float(x.min()):.3f} to {float(x.max()):.3f}.")
