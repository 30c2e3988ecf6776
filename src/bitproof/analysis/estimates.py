"""The one way from outcomes to a figure: count, take ratios, reduce over cells, and do the same on every resample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bitproof.analysis.intervals import Array, Bootstrap, band, wilson

#: Ratios …×cells (or …×cells×bins) → the figure, the leading axes kept.
Reduce = Callable[[Array], Array]
PERCENT = (0.0, 100.0)


@dataclass(frozen=True)
class Tally:
    """What is counted: ``hit`` sample×cell×seed (or …×bin) wherever ``seen`` sample×cell×seed. Its ratio is Σhit/Σseen."""

    hit: Array
    seen: Array

    def only(self, seen: Array) -> Tally:
        """The same, counted only where ``seen`` is true too."""
        return Tally(self.hit, self.seen & seen)

    def columns(self, chosen: Array) -> Tally:
        """The same for the cells where ``chosen`` (a mask over cells) is true."""
        return Tally(self.hit[:, chosen], self.seen[:, chosen])

    @property
    def filled(self) -> Array:
        """Which cells have any row."""
        return np.asarray(self.seen.any(axis=(0, 2)))

    def by_sample(self) -> tuple[Array, Array]:
        """Σhit and Σseen over seeds: sample×cell(×bin), sample×cell."""
        mask = self.seen.reshape(*self.seen.shape, *[1] * (self.hit.ndim - 3))
        return np.where(mask, self.hit, 0).sum(axis=2), self.seen.sum(axis=2)


class Level(NamedTuple):
    """A figure with its interval and the number of samples in it."""

    value: Array
    low: Array
    high: Array
    n: Array


def identity(ratios: Array) -> Array:
    """Each cell for itself."""
    return ratios


def mean(ratios: Array) -> Array:
    """The mean over cells."""
    return np.asarray(ratios.mean(axis=-1))


def level(tally: Tally, reduce: Reduce, bootstrap: Bootstrap, bounds: tuple[float, float] = PERCENT) -> Level:
    """Return 100·reduce(Σhit/Σseen). A share of single cells at one seed gets Wilson's interval, all else the bootstrap's."""
    hit, seen = tally.by_sample()
    value, n = 100 * reduce(_ratio(hit.sum(axis=0), seen.sum(axis=0))), _samples(seen, reduce)
    if reduce is identity and tally.hit.dtype == bool and seen.max(initial=0) <= 1:
        low, high = wilson(hit.sum(axis=0), n)
    else:
        draws = 100 * reduce(_ratio(bootstrap.sums(hit), bootstrap.sums(seen)))
        low, high = band(value, draws, n, bounds)
    return Level(value, low, high, n)


def difference(
    variant: Tally, control: Tally, reduce: Reduce, bootstrap: Bootstrap, bounds: tuple[float, float] = PERCENT
) -> Level:
    """Return variant − control, both on the rows that they have in common (same sample, cell and seed), paired by sample."""
    common = variant.seen & control.seen
    a, seen = variant.only(common).by_sample()
    b, _ = control.only(common).by_sample()
    sums = seen.sum(axis=0)
    value = 100 * (reduce(_ratio(a.sum(axis=0), sums)) - reduce(_ratio(b.sum(axis=0), sums)))
    weights = bootstrap.sums(seen)
    draws = 100 * (reduce(_ratio(bootstrap.sums(a), weights)) - reduce(_ratio(bootstrap.sums(b), weights)))
    n, width = _samples(seen, reduce), bounds[1] - bounds[0]
    return Level(value, *band(value, draws, n, (-width, width)), n)


def _ratio(hit: Array, seen: Array) -> Array:
    seen = seen.reshape(*seen.shape, *[1] * (hit.ndim - seen.ndim))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, hit / seen, np.nan)


def _samples(seen: Array, reduce: Reduce) -> Array:
    """The number of samples in each cell, or in any of them where cells are reduced to one figure."""
    return np.asarray((seen > 0).sum(axis=0) if reduce is identity else (seen > 0).any(axis=1).sum())
