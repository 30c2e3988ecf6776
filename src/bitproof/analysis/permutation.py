"""Tests by rearrangement, for paired samples, and what to do with many of them."""

from __future__ import annotations

import numpy as np

from bitproof.analysis.intervals import Array
from bitproof.core import seed

#: Number of random sign flips; the smallest p-value is 1/(FLIPS + 1).
FLIPS = 9999


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
    signs = np.random.default_rng(seed("sign flip", *name)).choice(np.array([-1.0, 1.0], np.float32), (FLIPS, pairs))
    power = (told**2).mean(axis=0)

    def largest(means: Array) -> Array:
        spread = np.sqrt(np.maximum(power - means**2, 1e-12 * power) / (pairs - 1))
        return np.asarray(np.abs(means / spread).max(axis=-1))

    drawn = largest(signs @ told / pairs)
    return float(1 + (drawn >= largest(told.mean(axis=0)) * (1 - 1e-9)).sum()) / (FLIPS + 1)


def holm(p: Array) -> Array:
    """Return p-values that may be compared with one level although there are many: p(i)·(m − i), made monotone, at most 1.

    Source: Holm, Scand. J. Stat. 6 (1979) 65. Differs from the paper: nothing.
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1)
    return adjusted
