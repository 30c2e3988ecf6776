"""Whether confidence means what it says, clean and under noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Reduction
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused

_ECE = "100·Σ_b |Σ_{i∈b} (confidence_i − correct_i)| / n, 15 bins of equal width; over several cells their mean"
_ECE_SOURCE = "Naeini et al., AAAI 2015; Guo et al., arXiv 1706.04599, eq. 3"
_CONFIDENCE = "mean probability of the predicted class; over several cells their mean"

FIGURES = {
    "ece": Figure("Calibration error, clean", "%", "lower", _ECE, _ECE_SOURCE),
    "ece_natural": Figure("Calibration error under corruptions", "%", "lower", _ECE, _ECE_SOURCE),
    "ece_system": Figure("Calibration error under system noise", "%", "lower", _ECE, _ECE_SOURCE),
    "confidence": Figure("Confidence, clean", "%", "neither", _CONFIDENCE, "softmax probability"),
    "confidence_natural": Figure("Confidence under corruptions", "%", "neither", _CONFIDENCE, "softmax probability"),
    "confidence_system": Figure("Confidence under system noise", "%", "neither", _CONFIDENCE, "softmax probability"),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``ece`` and ``confidence`` of clean, natural and system cells."""
    for family, suffix in (("clean", ""), ("natural", "_natural"), ("system", "_system")):
        present = block.columns(lambda noise, family=family: noise.family == family)  # type: ignore[misc]
        columns = [i for i in present if cells.seen[:, i].any()]
        if columns:
            yield from _measures(suffix, columns)
        elif present or family == "clean":
            yield from (refused(name + suffix, "no such cell was finished") for name in ("ece", "confidence"))


def _measures(suffix: str, columns: list[int]) -> Iterator[Measure]:
    note = f"over {len(columns)} cells" if suffix else ""
    yield Measure(f"ece{suffix}", lambda each: tallies.gaps(each, columns), note, ECE)
    yield Measure(f"confidence{suffix}", lambda each: tallies.confidences(each, columns), note)


def calibration_error(gaps: Array) -> Array:
    """Mean signed gaps of each bin, …×bins → Σ|gap|."""
    return np.asarray(np.abs(gaps).sum(axis=-1))


def _mean_error(gaps: Array) -> Array:
    return np.asarray(calibration_error(gaps).mean(axis=-1))


#: The mean over cells of their calibration errors.
ECE = Reduction(_mean_error, biased=True)
