"""Square: random squares (ℓ∞) or moved mass (ℓ2, ℓ1), kept where the margin gets smaller. Needs no gradient."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.noises.attacks.losses import cross_entropy, margin
from bitproof.noises.attacks.norms import L1, L2, TINY, Linf, nearest_l1
from bitproof.noises.attacks.search import Attempt, Bill, Samples, Search, check, generators_of

#: Share of the values that the first square covers, and after how many queries it is halved again.
SHARE, HALVINGS = 0.8, (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)

#: Random numbers are drawn for so many queries at once.
BLOCK = 512

#: With fewer rows than this a batch has room: each sample's next queries are asked together, as if none of them were kept.
ROOM = 16


def share(query: int) -> float:
    """The share of a picture's pixels that is changed at a query, counted from 0. Source: 1912.00049 §3.3, for 10,000 queries."""
    return SHARE * 0.5 ** sum(query > end for end in HALVINGS)


def stages(queries: int) -> list[range]:
    """Queries in a row that change squares of the same size, BLOCK of them at most."""
    begins = sorted({0, *range(0, queries, BLOCK), *(end + 1 for end in HALVINGS if end + 1 < queries)})
    return [range(begin, end) for begin, end in zip(begins, [*begins[1:], queries], strict=True)]


@dataclass
class Tried(Samples):
    """Samples, the best change so far and its margin, what is drawn for a stage's queries, N×queries×…, and the next of these."""

    clean: Tensor
    x: Tensor
    margin: Tensor
    drawn: Tensor
    at: Tensor


@dataclass(frozen=True)
class Square(Search):
    """The search; a norm says how it begins and what it tries.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        queries: inputs that are asked about for each sample, the clean and the first one apart.
    Raises SpecError for other values.
    """

    eps: float
    queries: int = 5000

    #: No gradient is taken, so the network runs as it is.
    grad = "exact"
    needs_gradient: ClassVar[bool] = False
    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 1912.00049"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.queries >= 1, "queries", self.queries, "1 or more")

    @abstractmethod
    def begin(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Draw the first change of one sample, of ``shape`` C×H×W."""

    @abstractmethod
    def propose(self, tried: Tried, u: Tensor, query: int) -> Tensor:
        """Return a change for each sample, from uniform numbers N×(5 + C)."""

    def bill(self, classes: int) -> Bill:
        """A forward a query, and one for the first change."""
        return Bill(self.queries + 1, 0)

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Begin at a random change, and keep every proposal that makes the margin smaller."""
        rows, generators = attempt.standing(), generators_of(seeds)
        clean, bounds = attempt.x[rows], attempt.victim.bounds
        first = torch.stack([self.begin(clean.shape[1:], generators[i]) for i in rows.tolist()]).to(clean)
        x = self.place(clean, first, bounds)
        value = margin(attempt.ask(rows, x), attempt.y[rows])
        tried = Tried(rows, clean, x, value, clean.new_empty(len(rows), 0), torch.zeros_like(rows))
        for stage in stages(self.queries):
            tried = tried.standing(attempt)
            tried.drawn, tried.at = _uniform(tried, generators, len(stage)), torch.zeros_like(tried.rows)
            while bool((tried.at < len(stage)).any()):
                self._walk(attempt, tried, stage)
                tried = tried.standing(attempt)

    def _walk(self, attempt: Attempt, tried: Tried, stage: range) -> None:
        """Ask each sample's next queries as if none were kept, and go on to the first that is; those after it do not count."""
        walks = (tried.at < len(stage)).nonzero().flatten()
        ahead = max(1, ROOM // len(walks))
        i = walks.repeat_interleave(ahead)
        at = tried.at[i] + torch.arange(ahead, device=i.device).repeat(len(walks))
        base = replace(tried, clean=tried.clean[i], x=tried.x[i])
        change = self.propose(base, tried.drawn[i, at.clamp_max(len(stage) - 1)], stage.start)
        x, y = self.place(base.clean, change, attempt.victim.bounds), attempt.y[tried.rows[i]]
        logits = attempt.look(x)
        value, loss, fools = margin(logits, y), cross_entropy(logits, y), logits.argmax(dim=1) != y

        counts = until(((value > tried.margin[i]) | fools).view(-1, ahead)) & (at < len(stage)).view(-1, ahead)
        steps = counts.sum(dim=1)
        attempt.charge(tried.rows[walks], steps)
        tried.at[walks] += steps
        first = torch.arange(0, len(i), ahead, device=i.device)
        worth = torch.where(fools, torch.inf, loss).view(-1, ahead).masked_fill(~counts, -torch.inf)
        best, last = first + worth.argmax(dim=1), first + steps - 1
        attempt.note(tried.rows[walks], x[best], logits[best])
        better = value[last] > tried.margin[walks]
        tried.x[walks[better]], tried.margin[walks[better]] = x[last[better]], value[last[better]]


def until(kept: Tensor) -> Tensor:
    """Whether no place before is true: all places up to the first true one, it included; N×queries."""
    return kept.cumsum(dim=1) == kept


def _uniform(tried: Tried, generators: Sequence[Generator], queries: int) -> Tensor:
    count = 5 + tried.clean.shape[1]
    drawn = [torch.rand(queries, count, generator=generators[i]) for i in tried.rows.tolist()]
    return torch.stack(drawn).to(tried.clean) if drawn else tried.clean.new_empty(0, queries, count)


def corners(u: Tensor, size: int, side: int) -> Tensor:
    """First rows or columns of windows ``size`` long within ``side``, all equally likely; uniform N → N."""
    return (u * (side - size + 1)).long().clamp_max(side - size)


def inside(start: Tensor, size: int, side: int) -> Tensor:
    """Whether each of ``side`` places is in the window of ``size`` that begins at ``start``, N → N×side."""
    at = torch.arange(side, device=start.device)
    return (at >= start[:, None]) & (at < start[:, None] + size)


def windows(top: Tensor, left: Tensor, size: int, width: int) -> Tensor:
    """Places of the pixels of square windows in a picture read row by row, N and N → N×size²."""
    at = torch.arange(size, device=top.device)
    place = (top[:, None, None] + at[:, None]) * width + left[:, None, None] + at
    return place.flatten(1)


class SquareLinf(Square):
    """Square in ℓ∞: a square of random place takes one of ±eps in each channel, and stays where the margin gets smaller.

    x' = clip(x₀ + clamp(x + 2·eps·r_c·[pixel in the square] − x₀, ±eps)), r_c random signs, from vertical stripes of ±eps,
    N×3×H×W → N×3×H×W

    Source: 1912.00049 Algorithms 1 and 2; constants of fra31/auto-attack.
    Differs from the paper: place and signs are drawn for every sample by itself; its schedule is not stretched to ``queries``.
    """

    norm: ClassVar[Linf] = Linf()

    def begin(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """Stripes: a sign a channel and column."""
        channels, height, width = shape
        signs = torch.randint(0, 2, (channels, 1, width), generator=generator) * 2.0 - 1
        return self.eps * signs.expand(channels, height, width)

    def propose(self, tried: Tried, u: Tensor, query: int) -> Tensor:
        """Change one square."""
        height, width = tried.x.shape[2:]
        size = min(max(round(math.sqrt(share(query) * height * width)), 1), height, width)
        high = inside(corners(u[:, 0], size, height), size, height)
        wide = inside(corners(u[:, 1], size, width), size, width)
        square = (high[:, None, :, None] & wide[:, None, None, :]).to(u.dtype)
        signs = (u[:, 5:] < 0.5).to(u.dtype) * 2 - 1
        return tried.x - tried.clean + 2 * self.eps * signs[:, :, None, None] * square


class MovedMass(Square):
    """The search in ℓ2 and ℓ1: what one window weighs moves to another one, with all of the budget that is left."""

    #: Exponent of the norm.
    power: ClassVar[int]

    def weight(self, windows: Tensor) -> Tensor:
        """Length of each channel's last axis, …×n → …×1."""
        return _length(windows, self.power)

    def begin(self, shape: Sequence[int], generator: Generator) -> Tensor:
        """A bump of random signs in each of 5×5 tiles."""
        channels, height, width = shape
        size = max(min(height, width) // 5, 1)
        tile = bump(size, self.power)
        change = torch.zeros(*shape)
        signs = torch.randint(0, 2, (height // size, width // size, channels, 1, 1), generator=generator) * 2.0 - 1
        turned = torch.rand(height // size, width // size, generator=generator) > 0.5
        for i in range(height // size):
            for j in range(width // size):
                patch = tile.T if turned[i, j] else tile
                change[:, i * size : (i + 1) * size, j * size : (j + 1) * size] = signs[i, j] * patch
        return self.eps * change / _length(change.flatten(), self.power)

    def propose(self, tried: Tried, u: Tensor, query: int) -> Tensor:
        """Empty one window, and give what it weighed to another one."""
        count, channels, height, width = tried.x.shape
        delta = (tried.x - tried.clean).flatten(2)
        size = min(max(round(math.sqrt(share(query) * height * width)), 3) | 1, height, width)
        into, out = (
            windows(corners(a, size, height), corners(b, size, width), size, width)[:, None].expand(-1, channels, -1)
            for a, b in ((u[:, 0], u[:, 1]), (u[:, 2], u[:, 3]))
        )
        there = delta.gather(2, into)
        old = self.weight(delta)
        emptied = delta.scatter(2, out, 0.0).scatter(2, into, 0.0)
        moved = (old**self.power - self.weight(emptied) ** self.power).clamp_min(0)
        spare = (self.eps**self.power - (old**self.power).sum(dim=1, keepdim=True)).clamp_min(0) / channels
        tile = bump(size, self.power).to(delta)
        patch = torch.where((u[:, 4] > 0.5)[:, None], tile.T.flatten(), tile.flatten())[:, None]
        signs = ((u[:, 5:] < 0.5).to(u.dtype) * 2 - 1)[:, :, None]
        new = signs * patch + there / self.weight(there).clamp_min(TINY)
        new = new / self.weight(new).clamp_min(TINY) * (moved + spare) ** (1 / self.power) * (channels if self.power == 1 else 1)
        return emptied.scatter(2, into, new).view(count, channels, height, width)


@cache
def bump(size: int, power: int) -> Tensor:
    """Two hills side by side, one up and one down, of length 1 in the norm of ``power``: size×size.

    A hill is a stack of plates around its centre, the k-th 2k + 1 wide and (k + 1)⁻² high in ℓ2, (k + 1)⁻⁴ in ℓ1.
    Source: 1912.00049 equation 3; ℓ1 as in 2103.01208 §4.
    """
    tile = torch.cat([_hill(size // 2, size, power), -_hill(size - size // 2, size, power)])
    return tile / _length(tile.flatten(), power)


def _hill(height: int, width: int, power: int) -> Tensor:
    hill = torch.zeros(height, width)
    for k in range(max(height, width) // 2 + 1):
        top, left = max(height // 2 - k, 0), max(width // 2 - k, 0)
        hill[top : height // 2 + k + 1, left : width // 2 + k + 1] += 1 / (k + 1) ** (2 if power == 2 else 4)
    total = _length(hill.flatten(), power)
    return hill / total if total > 0 else hill


def _length(x: Tensor, power: int) -> Tensor:
    """Length of the last axis, …×n → …×1."""
    length: Tensor = torch.linalg.vector_norm(x, power, dim=-1, keepdim=True)
    return length


class SquareL2(MovedMass):
    """Square in ℓ2: the weight of one window moves to another, as two hills of opposite sign, where that makes the margin smaller.

    x' = clip(x₀ + eps·δ'/‖δ'‖₂), δ' = δ with one window emptied and a bump of what two windows weighed, and of the budget that
    is left, in the other one, N×3×H×W → N×3×H×W

    Source: 1912.00049 Algorithms 1 and 3; constants of fra31/auto-attack.
    Differs from the paper: places and signs are drawn for every sample by itself; its schedule is not stretched to ``queries``.
    """

    norm: ClassVar[L2] = L2()
    power = 2

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """Scale to the sphere, then clip."""
        return (clean + self.eps * self.norm.direction(delta)).clamp(*bounds)


class SquareL1(MovedMass):
    """Square in ℓ1: the weight of one window moves to another, as two hills of opposite sign, where that makes the margin smaller.

    x' = the nearest point of the ball within the bounds to x₀ + δ', δ' as in ℓ2 with absolute values for squares,
    N×3×H×W → N×3×H×W

    Source: 2103.01208 §4; constants of fra31/auto-attack.
    Differs from the paper: places and signs are drawn for every sample by itself; its schedule is not stretched to ``queries``.
    """

    norm: ClassVar[L1] = L1()
    power = 1

    def place(self, clean: Tensor, delta: Tensor, bounds: tuple[float, float]) -> Tensor:
        """The nearest point."""
        return nearest_l1(clean, delta, self.eps, bounds)
