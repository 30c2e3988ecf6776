"""System noise: the mean, the spread and the worst over the settings of a decoder, resize, colour step or runtime."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Reduction
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused

_SOURCE = "RobustART, arXiv 2109.05211; SysNoise, arXiv 2307.00280"

FIGURES = {
    "system_mean": Figure("System noise, mean accuracy", "%", "higher", "mean_k A_k over the system settings k", _SOURCE),
    "system_std": Figure("System noise, spread", "points", "lower", "√(mean_k (A_k − mean A)²), population", _SOURCE),
    "system_worst": Figure("System noise, worst accuracy", "%", "higher", "min_k A_k", _SOURCE),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``system_mean``, ``system_std`` and ``system_worst`` where the block has system noises."""
    system = block.columns(lambda noise: noise.family == "system")
    columns = [i for i in system if cells.seen[:, i].any()]
    if not columns:
        yield from (refused(name, "no system cell was finished") for name in FIGURES if system)
        return
    names = [block.noises[i].noise for i in columns]
    note = f"over {len(names)} settings: {', '.join(names)}"
    yield Measure("system_mean", lambda each: tallies.hits(each, columns), note)
    if len(names) > 1:
        yield Measure("system_std", lambda each: tallies.hits(each, columns), note, SPREAD)
    else:
        yield refused("system_std", f"one setting has no spread: {names[0]}")
    yield Measure("system_worst", lambda each: tallies.hits(each, columns), f"{_worst(cells, columns, names)}; {note}", WORST)


def _std(accuracies: Array) -> Array:
    return np.asarray(accuracies.std(axis=-1))


def _min(accuracies: Array) -> Array:
    return np.asarray(accuracies.min(axis=-1))


#: Population standard deviation over settings.
SPREAD = Reduction(_std, biased=True)

#: The lowest accuracy over settings.
WORST = Reduction(_min, biased=True)


def _worst(cells: Cells, columns: list[int], names: list[str]) -> str:
    hit, seen = (values.sum(axis=0) for values in tallies.hits(cells, columns).by_sample())
    return f"worst: {names[int(np.argmin(hit / seen))]}"
