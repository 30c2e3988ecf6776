"""System noise: the mean, the spread and the worst over the settings of a decoder, resize, colour step or runtime."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.estimates import Reduction, Tally
from bitproof.analysis.intervals import Array
from bitproof.analysis.measures import Figure, Measure, refused

_SOURCE = "RobustART, arXiv 2109.05211; SysNoise, arXiv 2307.00280"
_SETTINGS = "over the settings k: the clean decoder and resize, and every system noise but field bugs"

FIGURES = {
    "system_mean": Figure("System noise, mean accuracy", "%", "higher", f"mean_k A_k {_SETTINGS}", _SOURCE),
    "system_std": Figure("System noise, spread", "points", "lower", f"√(mean_k (A_k − mean A)²) {_SETTINGS}, population", _SOURCE),
    "system_worst": Figure("System noise, worst accuracy", "%", "higher", f"min_k A_k {_SETTINGS}", _SOURCE),
}


def measures(block: Block, cells: Cells) -> Iterator[Measure]:
    """Yield ``system_mean``, ``system_std`` and ``system_worst`` where the block has system noises.

    The clean pipeline is one of the settings, on those samples that a system noise was run on.
    """
    system = block.columns(lambda noise: noise.family == "system")
    columns = [i for i in system if cells.seen[:, i].any()]
    if not columns:
        yield from (refused(name, "no system cell was finished") for name in FIGURES if system)
        return
    clean = [] if block.clean is None else [block.clean]
    tally = partial(_settings, clean=clean, columns=columns)
    filled = tally(cells).filled
    names = [block.noises[i].noise for i, there in zip([*clean, *columns], filled, strict=True) if there]
    note = f"over {len(names)} settings: {_listed(names)}"
    yield Measure("system_mean", tally, note)
    if len(names) > 1:
        yield Measure("system_std", tally, note, SPREAD)
    else:
        yield refused("system_std", f"one setting has no spread: {names[0]}")
    yield Measure("system_worst", tally, f"{_worst(tally(cells), names)}; {note}", WORST)


def _settings(cells: Cells, clean: list[int], columns: list[int]) -> Tally:
    noisy = tallies.hits(cells, columns)
    base = tallies.hits(cells, clean).only(np.asarray(noisy.seen.any(axis=1, keepdims=True)))
    return Tally(*(np.concatenate(pair, axis=1) for pair in ((base.hit, noisy.hit), (base.seen, noisy.seen))))


def _listed(names: list[str]) -> str:
    """All of them, or the first where they are many; every one stands among the cells."""
    return ", ".join(names) if len(names) <= 16 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _std(accuracies: Array) -> Array:
    return np.asarray(accuracies.std(axis=-1))


def _min(accuracies: Array) -> Array:
    return np.asarray(accuracies.min(axis=-1))


#: Population standard deviation over settings.
SPREAD = Reduction(_std, biased=True)

#: The lowest accuracy over settings.
WORST = Reduction(_min, biased=True)


def _worst(tally: Tally, names: list[str]) -> str:
    ratios = tally.columns(tally.filled).ratio()
    return f"worst: {names[int(np.argmin(ratios))]}"
