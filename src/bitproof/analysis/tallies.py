"""What can be counted of a recipe's cells. ``columns`` are cells; ``clean`` is the column of the clean cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitproof.analysis.blocks import Cells
from bitproof.analysis.estimates import Tally
from bitproof.analysis.intervals import Array

#: Number of equally wide confidence bins of the calibration error.
BINS = 15


def hits(cells: Cells, columns: Sequence[int]) -> Tally:
    """Correct predictions: plain accuracy."""
    part = cells.at(columns)
    return Tally(part.correct, part.seen)


def survivors(cells: Cells, columns: Sequence[int], clean: int) -> Tally:
    """Correct predictions among the samples that the same network gets right when clean."""
    part, base = cells.at(columns), cells.at([clean])
    return Tally(part.correct, part.seen & base.seen & base.correct)


def drops(cells: Cells, columns: Sequence[int], clean: int) -> Tally:
    """Clean minus noisy correctness of each sample: −1, 0 or 1."""
    part, base = cells.at(columns), cells.at([clean])
    return Tally(base.correct.astype(np.int8) - part.correct, part.seen & base.seen)


def changes(cells: Cells, columns: Sequence[int], clean: int) -> Tally:
    """Predictions that differ from the same network's clean prediction, right or wrong."""
    part, base = cells.at(columns), cells.at([clean])
    return Tally(part.prediction != base.prediction, part.seen & base.seen)


def union(tally: Tally) -> Tally:
    """A sample counts as a hit where it is one in every cell; only samples that were seen in every cell enter."""
    hit, seen = (np.asarray(values.all(axis=1, keepdims=True)) for values in (tally.hit, tally.seen))
    return Tally(hit, seen)


def confidences(cells: Cells, columns: Sequence[int]) -> Tally:
    """The probability given to the predicted class."""
    return _finite(cells.at(columns).confidence, cells.at(columns).seen)


def losses(cells: Cells, columns: Sequence[int]) -> Tally:
    """Cross-entropy, nats."""
    return _finite(cells.at(columns).loss, cells.at(columns).seen)


def gaps(cells: Cells, columns: Sequence[int]) -> Tally:
    """Confidence minus correctness, put into the sample's confidence bin: sample×cell×seed×bin.

    Bin i of ``BINS`` is (i/15, (i+1)/15]; a confidence of 0 belongs to the first.
    """
    part = cells.at(columns)
    known = _finite(part.confidence, part.seen)
    bins = np.clip(np.ceil(known.hit * BINS) - 1, 0, BINS - 1).astype(int)
    gap = (known.hit - part.correct).astype(np.float32)
    return Tally(np.where(bins[..., None] == np.arange(BINS), gap[..., None], np.float32(0)), known.seen)


def _finite(values: Array, seen: Array) -> Tally:
    known = np.isfinite(values)
    return Tally(np.where(known, values, 0.0), seen & known)
