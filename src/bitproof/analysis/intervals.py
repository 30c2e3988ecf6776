"""95 % intervals and tests: Wilson for one share, a bootstrap over samples for all else, exact McNemar for pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bitproof.core import seed

Array = npt.NDArray[Any]

#: Number of bootstrap resamples.
RESAMPLES = 2000

#: The 97.5 % point of the standard normal distribution.
Z = 1.959963984540054


def wilson(hits: Array | int, n: Array | int) -> tuple[Array, Array]:
    """Return the score interval (low, high) in % of a share of ``hits`` out of ``n``.

    Formula: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = hits/n; NaN where n = 0.
    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209. Differs from the paper: nothing.
    """
    n = np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, z2 = np.asarray(hits, float) / n, Z**2 / n
        centre, half = p + z2 / 2, np.sqrt(z2 * p * (1 - p) + z2**2 / 4)
        low, high = (centre - half) / (1 + z2), (centre + half) / (1 + z2)
    # rounding must not push an interval off its own share at 0 and 1
    return 100 * np.clip(np.minimum(low, p), 0, 1), 100 * np.clip(np.maximum(high, p), 0, 1)


def mcnemar(gained: Array, lost: Array) -> Array:
    """Return the two-sided exact p-value of ``gained`` against ``lost`` discordant pairs, elementwise.

    Formula: min(1, 2·P(X ≤ min(gained, lost))), X ~ Binomial(gained + lost, 1/2); 1 where no pair is discordant.
    Source: McNemar, Psychometrika 12 (1947) 153, in its exact binomial form. Differs from the paper: exact, not χ².
    """
    gained, lost = np.broadcast_arrays(np.asarray(gained, int), np.asarray(lost, int))
    total = int((gained + lost).max(initial=0))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])

    def tail(n: int, k: int) -> float:
        i = np.arange(k + 1)
        logs = log_factorial[n] - log_factorial[i] - log_factorial[n - i] - n * np.log(2)
        return min(1.0, 2 * float(np.exp(logs).sum()))

    pairs = zip(gained.ravel(), lost.ravel(), strict=True)
    return np.array([tail(a + b, min(a, b)) for a, b in pairs]).reshape(gained.shape)


class Bootstrap:
    """Resamples of ``n`` samples, drawn by ``name`` alone; a sample keeps all its rows, so cells stay paired.

    Source: Efron, Ann. Stat. 7 (1979) 1; resampling whole clusters: Davison & Hinkley (1997) §3.8.
    Memory: 8 kB a sample.
    """

    def __init__(self, n: int, *name: object) -> None:
        generator = np.random.default_rng(seed("bootstrap", *name))
        draws = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(RESAMPLES))
        self.counts = np.stack([draw.astype(np.float32) for draw in draws])

    def sums(self, values: Array) -> Array:
        """Return the sums of ``values`` over each resample: n×… → resamples×…."""
        # whole numbers stay exact in float32 up to 16 million
        flat = (self.counts @ values.reshape(len(values), -1).astype(np.float32)).astype(float)
        return flat.reshape(len(flat), *values.shape[1:])


def band(value: Array, draws: Array, n: Array, bounds: tuple[float, float], *, biased: bool = False) -> tuple[Array, Array]:
    """Return the interval (low, high) of ``value`` from its resampled ``draws`` (resamples×…).

    Formula: percentile interval [q_2.5, q_97.5] of the draws; where the figure is ``biased``, the basic interval
    [2·value − q_97.5, 2·value − q_2.5], since the draws are off ``value`` by the amount that ``value`` is off the truth.
    It always holds ``value``. Where all resamples agree they say nothing about the samples that were not drawn: then the
    interval is value ± 100·z²/(n+z²), the Wilson limit of what was never seen in ``n`` samples, inside ``bounds``.
    Source: Davison & Hinkley, Bootstrap Methods (1997) §5.2, §5.3. Differs from the source: holds ``value``; the case of no spread.
    """
    quantile = np.nanquantile if np.isnan(draws).any() else np.quantile
    known = np.isfinite(draws).any(axis=0)
    low, high = quantile(np.where(known, draws, 0.0), [0.025, 0.975], axis=0)
    if biased:
        low, high = 2 * value - high, 2 * value - low
    unseen = 100 * Z**2 / (n + Z**2)
    flat = high - low < 1e-4
    low, high = np.where(flat, value - unseen, low), np.where(flat, value + unseen, high)
    low, high = np.clip(np.minimum(low, value), *bounds), np.clip(np.maximum(high, value), *bounds)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
