"""Tests by rearrangement, for paired samples, and what to do with many of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bitproof.analysis.intervals import Array
from bitproof.core import seed

#: Number of random sign flips; the smallest p-value is 1/(FLIPS + 1).
FLIPS = 9999

#: Random signs that are in memory at once.
_TOGETHER = 10_000_000


def sign_flip(differences: Array, *name: object) -> float:
    """Return the two-sided p-value of the hypothesis that the two sides of each pair could as well be exchanged.

    ``differences``: pairs × features. The statistic is the largest |t| over the features, so their number costs nothing; it is
    compared with that of ``FLIPS`` random exchanges, drawn by ``name`` alone. p = (1 + exchanges at least as large) / (FLIPS + 1).
    A feature in which no pair differs says nothing and is left out; where all are, p = 1.
    Source: Westfall & Young, Resampling-Based Multiple Testing (1993) §2.6; Phipson & Smyth, 10.2202/1544-6115.1585 for the 1 +.
    """
    pairs = len(differences)
    told = differences[:, np.abs(differences).max(axis=0, initial=0) > 0]
    if pairs < 2 or not told.size:
        return 1.0
    power = (told**2).mean(axis=0)
    observed = np.abs(_studentised(told.mean(axis=0), power, pairs)).max() * (1 - 1e-9)
    drawn = [np.abs(_studentised(means, power, pairs)).max(axis=-1) for means in _flipped(told, *name)]
    return float(1 + (np.concatenate(drawn) >= observed).sum()) / (FLIPS + 1)


def one_sided(differences: Array, groups: Sequence[Sequence[int]], *name: object) -> tuple[Array, Array]:
    """Return, a feature, the p-value of "its mean is not above 0", and, a group of features, that of "no mean is below 0".

    ``differences``: pairs × features. As ``sign_flip``, with t in the place of |t|; in a group the largest −t, so its number of
    features costs nothing. A feature in which no pair differs says nothing: its p is 1.
    Source: as ``sign_flip``.
    """
    pairs, features = differences.shape
    power = (differences**2).mean(axis=0) if pairs else np.zeros(features)
    told = np.flatnonzero(power > 0)
    above, below = np.ones(features), np.ones(len(groups))
    if pairs < 2 or not told.size:
        return above, below
    part, power = differences[:, told].astype(np.float32), power[told]
    place = {int(feature): i for i, feature in enumerate(told)}
    members = [[place[feature] for feature in group if feature in place] for group in groups]
    observed = _studentised(part.mean(axis=0, dtype=float), power, pairs)
    counts, worst = np.ones(len(told)), np.ones(len(groups))
    for means in _flipped(part, *name):
        drawn = _studentised(means, power, pairs)
        counts += (drawn >= observed - 1e-5 * np.abs(observed)).sum(axis=0)
        for i, group in enumerate(members):
            if group:
                least = observed[group].min()
                worst[i] += (drawn[:, group].min(axis=-1) <= least + 1e-5 * abs(least)).sum()
    above[told] = counts / (FLIPS + 1)
    below[[bool(group) for group in members]] = worst[[bool(group) for group in members]] / (FLIPS + 1)
    return above, below


def _flipped(differences: Array, *name: object) -> Iterator[Array]:
    """Yield the means of each feature after random exchanges, ``FLIPS`` in all: exchanges × features."""
    pairs, left = len(differences), FLIPS
    draws = np.random.default_rng(seed("sign flip", *name))
    while left:
        count = min(left, max(1, _TOGETHER // pairs))
        yield draws.choice(np.array([-1.0, 1.0], np.float32), (count, pairs)) @ differences / pairs
        left -= count


def _studentised(means: Array, power: Array, pairs: int) -> Array:
    """The t of each mean, where ``power`` is the mean square, which no exchange changes."""
    return np.asarray(means / np.sqrt(np.maximum(power - means**2, 1e-12 * power) / (pairs - 1)))


def holm(p: Array) -> Array:
    """Return p-values that may be compared with one level although there are many: p(i)·(m − i), made monotone, at most 1.

    Source: Holm, Scand. J. Stat. 6 (1979) 65. Differs from the paper: nothing.
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1)
    return adjusted
