"""The one way from outcomes to a figure: count, take ratios, reduce over cells, and do the same on every resample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bitproof.analysis.intervals import Array, Bootstrap, band, wilson


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

    def ratio(self) -> Array:
        """Σhit/Σseen of each cell(×bin); NaN where nothing was seen."""
        hit, seen = self.by_sample()
        return _divide(hit.sum(axis=0, dtype=float), seen.sum(axis=0))


@dataclass(frozen=True)
class Reduction:
    """How the ratios of cells become one figure: ``of`` maps …×cells(×bins) to the figure and keeps the leading axes.

    ``bounds``: the figure's range, %. ``whole``: undefined unless every cell has rows. ``biased``: noise in the ratios shifts
    the figure (a minimum, a spread, a sum of absolute gaps), so its resamples are shifted against it too.
    """

    of: Callable[[Array], Array]
    bounds: tuple[float, float] = (0.0, 100.0)
    whole: bool = False
    biased: bool = False


def _mean(ratios: Array) -> Array:
    return np.asarray(ratios.mean(axis=-1))


def _same(ratios: Array) -> Array:
    return ratios


#: The mean over cells.
MEAN = Reduction(_mean)

#: Each cell for itself: the figure keeps the axis of cells.
EACH = Reduction(_same)

#: The same for what may be negative.
EACH_SIGNED = Reduction(_same, bounds=(-100.0, 100.0))


class Level(NamedTuple):
    """A figure in %, its interval, and the number of samples in it."""

    value: Array
    low: Array
    high: Array
    n: Array


def level(tally: Tally, reduction: Reduction, bootstrap: Bootstrap) -> Level:
    """Return the figure of ``tally``. A share of single cells at one seed gets Wilson's interval, all else the bootstrap's."""
    hit, seen = tally.by_sample()
    value, n = 100 * reduction.of(_divide(hit.sum(axis=0, dtype=float), seen.sum(axis=0))), _samples(seen, reduction)
    if reduction is EACH and tally.hit.dtype == bool and seen.max(initial=0) <= 1:
        return Level(value, *wilson(hit.sum(axis=0), n), n)
    draws = 100 * reduction.of(_divide(bootstrap.sums(hit), bootstrap.sums(seen)))
    return Level(value, *band(value, draws, n, reduction.bounds, biased=reduction.biased), n)


def difference(ours: Tally, theirs: Tally, reduction: Reduction, bootstrap: Bootstrap) -> Level:
    """Return the figure of ``ours`` minus that of ``theirs`` on the rows in common (same sample, cell, seed), paired by sample."""
    common = ours.seen & theirs.seen
    a, seen = ours.only(common).by_sample()
    b, _ = theirs.only(common).by_sample()
    sums, weights = seen.sum(axis=0), bootstrap.sums(seen)
    value = reduction.of(_divide(a.sum(axis=0, dtype=float), sums)) - reduction.of(_divide(b.sum(axis=0, dtype=float), sums))
    draws = reduction.of(_divide(bootstrap.sums(a), weights)) - reduction.of(_divide(bootstrap.sums(b), weights))
    n, width = _samples(seen, reduction), reduction.bounds[1] - reduction.bounds[0]
    return Level(100 * value, *band(100 * value, 100 * draws, n, (-width, width), biased=reduction.biased), n)


def _divide(hit: Array, seen: Array) -> Array:
    seen = seen.reshape(*seen.shape, *[1] * (hit.ndim - seen.ndim))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, hit / seen, np.nan)


def _samples(seen: Array, reduction: Reduction) -> Array:
    """The number of samples in each cell, or in any of them where cells become one figure."""
    each = reduction.of is _same
    return np.asarray((seen > 0).sum(axis=0) if each else (seen > 0).any(axis=1).sum())
