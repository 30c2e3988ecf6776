"""What networks lose against one of them, on the same samples under the same noises."""

from __future__ import annotations

import numpy as np

from bitproof.analysis.estimates import EACH, Level, Tally, difference, level
from bitproof.analysis.intervals import Array, Bootstrap


def accuracies(correct: Array) -> Level:
    """Return the accuracy of each cell, %: ``correct`` is samples×cells, bool."""
    return level(_tally(correct), EACH, _bootstrap(len(correct)))


def drops(correct: Array, control: Array) -> Level:
    """Return how many points of accuracy each cell lies below its control, paired by sample; both samples×cells, bool."""
    return difference(_tally(control), _tally(correct), EACH, _bootstrap(len(correct)))


def _tally(correct: Array) -> Tally:
    hit = correct[:, :, None]
    return Tally(hit, np.ones_like(hit))


def _bootstrap(n: int) -> Bootstrap:
    return Bootstrap(n, "drops")
