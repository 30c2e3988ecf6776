"""What one track of BiBench gives: its formula, and for a recipe the overall metric, or what is missing for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitproof.analysis.intervals import Array, band

SOURCE = "BiBench, arXiv 2301.11233; formulas from memory of the paper, not confirmed by its tables; its released code holds none"

#: Track → its overall metric. E: mean over what stands in the bracket, bi: binarized, fp: its float control.
FORMULAS = {
    "task": "sqrt(mean_sets E²(A_bi/A_fp)), A: accuracy, of GLUE its measures, of detection AP, E over models and tasks of a set",
    "architecture": "sqrt(mean_families E²(A_bi/A_fp)), families: CNN, transformer, MLP, E over their models and tasks",
    "robustness": "sqrt(mean_c E²(G_fp/G_bi)), G: clean minus corrupted accuracy, mean over severities, E over models and tasks",
    "training": "sqrt(½[E²(T_fp/T_bi) + E²(std(A_fp)/std(A_bi))]), T: training time, std over training settings",
    "complexity": "sqrt(½[E²(r_c) + E²(r_s)]), r_c: compression of parameters, r_s: of operations",
    "hardware": "sqrt(½[E²(T_fp/T_bi) + E²(S_fp/S_bi)]), T: inference time, S: size, both of deployed networks",
}


@dataclass(frozen=True)
class Outcome:
    """An overall metric, as a ratio: 1 = as the float control, more is better. ``value`` None: nothing of it can be computed.

    ``parts``: what it was computed from. ``lacks``: why it is not BiBench's whole metric, and what to run.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    parts: str = ""
    lacks: str = ""

    @property
    def status(self) -> str:
        """``whole``, ``part`` or ``missing``."""
        return "missing" if self.value is None else "part" if self.lacks else "whole"


def quadratic_mean(values: Array) -> Array:
    """√(mean(values²)) over the first axis."""
    return np.asarray(np.sqrt(np.mean(np.square(values), axis=0)))


def sampled(draws: Array, n: int, parts: str, lacks: str) -> Outcome:
    """The outcome of ``draws``, the figure followed by its resamples: 95 % interval over samples, ``n`` the fewest in a ratio."""
    value = 100 * draws[0]
    low, high = band(value, 100 * draws[1:], np.asarray(n), (0.0, np.inf))
    return Outcome(float(value / 100), float(low / 100), float(high / 100), n, parts, lacks)


def sentence(*reasons: str) -> str:
    """The reasons that are not empty."""
    return "; ".join(filter(None, reasons))
