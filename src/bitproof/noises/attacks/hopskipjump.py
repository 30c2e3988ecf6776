"""HopSkipJump: the smallest change that fools, found from labels alone, by walking along the boundary."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from bitproof.core import Attacked, Victim
from bitproof.noises.attacks.norms import L2, TINY, Linf, Norm, over
from bitproof.noises.attacks.search import Bill, check, check_batch, generators_of

#: Draws of the first estimate of a direction; the t-th takes √t times as many (1904.02144 §4.1).
FIRST = 100

#: Radius of the first estimate's draws, in units of the bounds.
FIRST_RADIUS = 0.1

#: Starts that are tried, and the sides of the grids of random colours that they are, one after the other; 0: of every value.
STARTS, GRIDS = 40, (0, 1, 2, 4, 8)

#: Inputs that are asked about at once.
AT_ONCE = 256

#: What is returned lies this share beyond the boundary, so that rounding in another batch does not bring it back.
BEYOND = 1e-3


def draws(t: int) -> int:
    """Inputs that the t-th estimate asks about."""
    return round(FIRST * math.sqrt(t))


def colours(shape: Sequence[int], side: int, generator: Generator) -> Tensor:
    """A grid of ``side``² random colours over the whole input, or one for every value; uniform in [0, 1], C×H×W."""
    if not side:
        return torch.rand(*shape, generator=generator)
    grid = torch.rand(1, shape[0], side, side, generator=generator)
    return F.interpolate(grid, size=tuple(shape[1:]), mode="nearest")[0]


@dataclass
class Near:
    """Samples that something fools: their clean inputs, the nearest input that does, and where the walk stands now."""

    rows: Tensor
    clean: Tensor
    x: Tensor
    best: Tensor
    distance: Tensor

    def only(self, where: Tensor) -> Self:
        """Return those of the samples."""
        return self if where.all() else replace(self, **{f.name: getattr(self, f.name)[where] for f in fields(self)})


class Asked:
    """A victim that tells labels, and what each sample of a batch has asked of it."""

    def __init__(self, victim: Victim, x: Tensor, y: Tensor) -> None:
        self.victim, self.x, self.y = victim, x, y
        self.queries = torch.zeros(len(x), dtype=torch.long, device=x.device)

    def fools(self, rows: Tensor, x: Tensor) -> Tensor:
        """Whether inputs x of ``rows`` are taken for another class, N×… → N."""
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool, device=x.device)
        self.queries.index_add_(0, rows, torch.ones_like(rows))
        return torch.cat([self.victim.decide(part) for part in torch.split(x, AT_ONCE)]) != self.y[rows]


@dataclass(frozen=True)
class HopSkipJump(ABC):
    """The walk; a norm says how an input is brought nearer, and how a direction is followed.

    Args:
        eps: distance within which an input counts as a success, for inputs in [0, 1]; none counts any.
        queries: inputs that are asked about for each sample, the clean one and the one that is returned apart.
    The input returned is the nearest that fools; where that is farther than eps, it is brought to eps. Only labels are asked for.
    Raises SpecError for other values.
    """

    eps: float | None = None
    queries: int = 5000

    norm: ClassVar[Norm]
    site: ClassVar[str] = "tensor"
    family: ClassVar[str] = "adversarial"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    #: No gradient is taken, so the network runs as it is.
    grad = "exact"
    needs_gradient: ClassVar[bool] = False
    minimal: ClassVar[bool] = True
    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 1904.02144"
    version: ClassVar[int] = 1

    #: The precision of a search for the boundary is d^−power of the distance, for d values.
    power: ClassVar[float]

    def __post_init__(self) -> None:
        check(self.eps is None or 0 <= self.eps < math.inf, "eps", self.eps, "none, or a finite number, 0 or more")
        check(self.queries >= 1, "queries", self.queries, "1 or more")

    @abstractmethod
    def nearer(self, clean: Tensor, x: Tensor, share: Tensor) -> Tensor:
        """Return inputs at ``share`` (N, 0 to 1) of the distance from ``clean`` to ``x``, N×…."""

    @abstractmethod
    def drawn(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw directions of any length, N×C×H×W."""

    def bill(self, classes: int) -> Bill:
        """A forward a query, and one at what is returned."""
        return Bill(self.queries + 1, 0)

    def __call__(self, victim: Victim, x: Tensor, y: Tensor, seeds: Sequence[int]) -> Attacked:
        """Attack a batch, as ``bitproof.core.Attack`` says; only ``decide`` is called. ``x`` is not changed."""
        check_batch(victim, x, y, seeds, self.kinds)
        asked = Asked(victim, x.detach(), y)
        every = torch.arange(len(x), device=x.device)
        wrong = asked.fools(every, asked.x)
        rows = (~wrong).nonzero().flatten()
        best, distance, success = asked.x.clone(), torch.zeros_like(x[:, 0, 0, 0]), wrong.clone()
        if len(rows):
            part = Asked(victim, asked.x[rows], y[rows])
            found = self.walked(part, [seeds[i] for i in rows.tolist()])
            best[rows], success[rows] = found.x, found.success
            distance[rows] = found.columns["distance"]
            asked.queries[rows] += found.queries
        return Attacked(best, success, asked.queries, torch.zeros_like(asked.queries), {"distance": distance})

    def walked(self, asked: Asked, seeds: Sequence[int]) -> Attacked:
        """Return what a walk finds for samples that are right when clean."""
        generators = generators_of(seeds)
        near = self._begun(asked, generators)
        best, distance = asked.x.clone(), torch.full_like(asked.x[:, 0, 0, 0], torch.nan)
        t = 0
        while len(near.rows):
            t += 1
            enough = self._left(asked, near.rows) > self._halvings(near.clean) + 1
            done, near = near.only(~enough), near.only(enough)
            best[done.rows], distance[done.rows] = done.best, done.distance
            if len(near.rows):
                self._step(asked, near, t, [generators[i] for i in near.rows.tolist()])
        return self._judged(asked, best, distance)

    def _left(self, asked: Asked, rows: Tensor) -> Tensor:
        return self.queries - asked.queries[rows]

    def _halvings(self, x: Tensor) -> int:
        """Questions that a search for the boundary takes."""
        return math.ceil(self.power * math.log2(x[0].numel()))

    def _begun(self, asked: Asked, generators: Sequence[Generator]) -> Near:
        """Draw starts until one fools, and go from there to the boundary."""
        low, high = asked.victim.bounds
        x, started = asked.x.clone(), torch.zeros(len(asked.x), dtype=torch.bool, device=asked.x.device)
        for k in range(min(STARTS, self.queries - self._halvings(x))):
            rows = (~started).nonzero().flatten()
            if not len(rows):
                break
            drawn = torch.stack([colours(x.shape[1:], GRIDS[k % len(GRIDS)], generators[i]) for i in rows.tolist()])
            tried = low + (high - low) * drawn.to(x)
            fools = asked.fools(rows, tried)
            x[rows[fools]], started[rows] = tried[fools], fools
        rows = started.nonzero().flatten()
        clean = asked.x[rows]
        x = self._boundary(asked, rows, clean, x[rows])
        return Near(rows, clean, x, x.clone(), self.norm.length(x - clean))

    def _boundary(self, asked: Asked, rows: Tensor, clean: Tensor, x: Tensor) -> Tensor:
        """Halve the way between ``clean`` and ``x``, which fools, and return the nearest that does."""
        if not len(rows):
            return x
        low, high = torch.zeros_like(clean[:, 0, 0, 0]), torch.ones_like(clean[:, 0, 0, 0])
        for _ in range(self._halvings(clean)):
            middle = (low + high) / 2
            fools = asked.fools(rows, self.nearer(clean, x, middle))
            low, high = torch.where(fools, low, middle), torch.where(fools, middle, high)
        return torch.where(over(high < 1, x), self.nearer(clean, x, high), x)

    def _step(self, asked: Asked, near: Near, t: int, generators: Sequence[Generator]) -> None:
        """Estimate the boundary's normal, follow it, and return to the boundary."""
        length, bounds = self.norm.length(near.x - near.clean), asked.victim.bounds
        first = FIRST_RADIUS * (bounds[1] - bounds[0])
        radius = torch.full_like(length, first) if t == 1 else (length / near.x[0].numel()).clamp_min(TINY)
        spare = self._left(asked, near.rows) - self._halvings(near.clean) - 1
        direction = self.norm.direction(self._normal(asked, near, radius, spare.clamp_max(draws(t)), generators))
        step, moved = length / math.sqrt(t), near.x.clone()
        open_ = torch.arange(len(near.rows), device=near.x.device)
        while len(open_):  # until it fools, or only the search can still be paid for
            open_ = open_[self._left(asked, near.rows[open_]) > self._halvings(near.clean)]
            tried = (near.x[open_] + over(step[open_], near.x) * direction[open_]).clamp(*bounds)
            fools = asked.fools(near.rows[open_], tried)
            moved[open_[fools]], open_ = tried[fools], open_[~fools]
            step = step / 2
        near.x = self._boundary(asked, near.rows, near.clean, moved)
        length = self.norm.length(near.x - near.clean)
        nearer = length < near.distance
        near.best[nearer], near.distance[nearer] = near.x[nearer], length[nearer]

    def _normal(self, asked: Asked, near: Near, radius: Tensor, count: Tensor, generators: Sequence[Generator]) -> Tensor:
        """Σ (φ_b − φ̄)·u_b over ``count`` (N) draws around x: φ is 1 where x + radius·u fools, else −1; all equal: Σ φ_b·u_b."""
        sums = [self._sums(asked, near, k, radius[k], int(count[k]), generator) for k, generator in enumerate(generators)]
        said, total, weighted = map(torch.stack, zip(*sums, strict=True))
        mean = said / count
        return weighted - over(torch.where(mean.abs() < 1, mean, 0.0), total) * total

    def _sums(self, asked: Asked, near: Near, k: int, radius: Tensor, count: int, generator: Generator) -> tuple[Tensor, ...]:
        """Σ φ_b, Σ u_b and Σ φ_b·u_b of the k-th sample, a block of draws at a time."""
        x, sums = near.x[k], (torch.zeros_like(radius), torch.zeros_like(near.x[k]), torch.zeros_like(near.x[k]))
        for begin in range(0, count, AT_ONCE):
            u = self.drawn((min(AT_ONCE, count - begin), *x.shape), generator).to(x)
            u = u / over(L2().length(u).clamp_min(TINY), u)
            around = (x + radius * u).clamp(*asked.victim.bounds)
            u = (around - x) / radius
            phi = asked.fools(near.rows[k].expand(len(u)), around).to(u) * 2 - 1
            sums = sums[0] + phi.sum(), sums[1] + u.sum(dim=0), sums[2] + (over(phi, u) * u).sum(dim=0)
        return sums

    def _judged(self, asked: Asked, best: Tensor, distance: Tensor) -> Attacked:
        """Ask about what is returned: a little beyond the boundary, and within the budget."""
        clean = asked.x
        beyond = (clean + (1 + BEYOND) * (best - clean)).clamp(*asked.victim.bounds)
        limit = torch.full_like(distance, math.inf if self.eps is None else self.eps)
        length = self.norm.length(beyond - clean)
        share = torch.where(length > limit, limit / length.clamp_min(TINY), 1.0)
        told = torch.where(over(share < 1, clean), self.nearer(clean, beyond, share), beyond)
        fools = asked.fools(torch.arange(len(clean), device=clean.device), told)
        exact = ~fools & (distance <= limit)
        return Attacked(
            torch.where(over(exact, clean), best, told),
            fools | exact,
            asked.queries,
            torch.zeros_like(asked.queries),
            {"distance": distance},
        )


class HopSkipJumpL2(HopSkipJump):
    """HopSkipJump in ℓ2, from labels alone: estimate the boundary's normal, follow it, halve the way back.

    v = Σ_b (φ_b − φ̄)·u_b, u_b random of length 1, φ_b = ±1 whether x + δ·u_b fools;  x' = x + ‖x − x₀‖₂/√t·2⁻ᵏ·v/‖v‖₂ for the
    smallest k that fools;  x ← x₀ + α(x' − x₀), the smallest α that fools by bisection. N×3×H×W → N×3×H×W

    Source: 1904.02144 Algorithms 1 and 2. Differs from the paper: starts are tried in colour grids of several sizes, since plain
    noise may be of the sample's own class; δ = ‖x − x₀‖₂/d from the boundary point itself; the nearest input of the walk is kept.
    """

    norm: ClassVar[L2] = L2()
    power = 1.5

    def nearer(self, clean: Tensor, x: Tensor, share: Tensor) -> Tensor:
        """On the line between them."""
        return clean + over(share, clean) * (x - clean)

    def drawn(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Normal."""
        return torch.randn(*shape, generator=generator)


class HopSkipJumpLinf(HopSkipJump):
    """HopSkipJump in ℓ∞, from labels alone: estimate the boundary's normal, follow its signs, shrink the cube.

    As in ℓ2 with u_b uniform, x' = x + ‖x − x₀‖∞/√t·2⁻ᵏ·sign(v), and x ← clip(x', x₀ ± α·‖x' − x₀‖∞). N×3×H×W → N×3×H×W

    Source: 1904.02144 Algorithms 1 and 2. Differs from the paper: as in ℓ2.
    """

    norm: ClassVar[Linf] = Linf()
    power = 2.0

    def nearer(self, clean: Tensor, x: Tensor, share: Tensor) -> Tensor:
        """In a cube around ``clean``."""
        return clean + self.norm.project(x - clean, share * self.norm.length(x - clean))

    def drawn(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Uniform in the cube."""
        return torch.rand(*shape, generator=generator) * 2 - 1
