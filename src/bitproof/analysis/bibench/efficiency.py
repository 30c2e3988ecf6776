"""BiBench's three tracks of efficiency: training consumption, theoretical complexity, hardware inference."""

from __future__ import annotations

import numpy as np
import polars as pl

from bitproof.analysis.bibench.settings import Spread
from bitproof.analysis.bibench.track import Outcome, quadratic_mean, sentence

#: The training settings of BiBench: two optimizers, two learning rates each, two schedules.
SETTINGS = 8

_SENSITIVITY = (
    "sensitivity std(A_fp)/std(A_bi) is not measured: it takes float and this recipe under several optimizers, learning rates or "
    "schedules; examples/bibench-sensitivity.yaml is such a grid, read both directories together"
)
_NO_TIME = "T left out: no training time of this recipe and of 'float' on one task, model and seed; add float to recipes"
_OPERATIONS = "r_s left out: some rows hold no operation counts, as those from before they were kept; run the grid again"
_HARDWARE = (
    "no row of this recipe was measured on packed kernels (rows from before, or no layer of one bit); run the grid again, or "
    "'bitproof export DIR RECIPE --packed'"
)

_NO_KERNELS = "T left out: the C++ kernels were not built where it ran; 'bitproof doctor' says how to"

#: BiBench's price of a binarized parameter and operation, in float ones.
PARAMETER, OPERATION = 1 / 32, 1 / 64


def training(recipe: str, networks: pl.DataFrame, spread: Spread | None) -> Outcome:
    """Formula: √(½[E²(T_fp/T_bi) + E²(std(A_fp)/std(A_bi))]), T of the same task, model and seed, E: mean over them.

    Only ``float`` goes through the same training. Where a run holds one of both alone, that is given. std: over the settings and
    seeds that both were trained with. Differs from the paper: the settings are those of the run.
    """
    pairs = networks.filter(recipe=recipe).join(networks.filter(recipe="float"), on=["task", "model", "seed"], suffix="_fp")
    pairs = pairs.filter((pl.col("time_s") > 0) & (pl.col("time_s_fp") > 0))
    found: list[float] = []
    if not pairs.is_empty():
        found.append(_mean(pairs["time_s_fp"] / pairs["time_s"]))
    parts = f"time {found[0]:.3f} beside float, trainings: {pairs.height}, as the machines of the run took them" if found else ""
    if spread is None:
        return Outcome(found[0], parts=parts, lacks=_SENSITIVITY) if found else Outcome(lacks=sentence(_NO_TIME, _SENSITIVITY))
    few = f"{spread.settings} of BiBench's {SETTINGS} settings" if spread.settings < SETTINGS else ""
    lacks = sentence(few, "" if found else _NO_TIME)
    told = f"sensitivity {spread.ratio:.3f}, settings: {spread.settings}, trainings: {spread.trainings}"
    return Outcome(_quadratic(*found, spread.ratio), parts=sentence(parts, told), lacks=lacks)


def complexity(recipe: str, networks: pl.DataFrame) -> Outcome:
    """Formula: √(½[E²(r_c) + E²(r_s)]), r_c = M/(M_bi/32 + M − M_bi) of parameters, r_s = F/(F_bi/64 + F − F_bi) of multiply-adds.

    E: mean over networks. Differs from the paper: operations are those of convolutions and linear layers. Where rows hold no
    counts r_c alone is given, as float_bytes/size_bytes: sizes as stored, scales and layers of 8 bits as they are.
    """
    found = networks.filter((pl.col("recipe") == recipe) & (pl.col("size_bytes") > 0)).unique(
        ["task", "model"], maintain_order=True
    )
    if found.is_empty():
        return Outcome(lacks="no variant row of this recipe with a size; the directory was not finished: run it again")
    if found["macs"].null_count() or found["weights"].null_count():
        ratio = _mean(found["float_bytes"] / found["size_bytes"])
        parts = f"float_bytes/size_bytes, networks: {found.height}; scales counted, where BiBench counts 1/32 a binarized parameter"
        return Outcome(ratio, parts=parts, lacks=_OPERATIONS)
    r_c = _mean(_cheaper(found["weights"], found["weights_binary"], PARAMETER))
    r_s = _mean(_cheaper(found["macs"], found["macs_binary"], OPERATION))
    return Outcome(_quadratic(r_c, r_s), parts=f"r_c {r_c:.2f}, r_s {r_s:.2f}, networks: {found.height}")


def hardware(recipe: str, networks: pl.DataFrame) -> Outcome:
    """Formula: √(½[E²(T_fp/T_bi) + E²(S_fp/S_bi)]), T at batch 1 on the packed kernels, S on disk; 0 for what cannot be packed.

    E: mean over networks and seeds. Differs from the paper: the kernels are bitproof's, on the machine of the run alone.
    """
    tried = networks.filter(pl.col("recipe") == recipe).filter(pl.col("macs_binary") > 0)
    if tried.is_empty():
        return Outcome(lacks=_HARDWARE)
    sizes = _mean((tried["float_bytes"] / tried["packed_bytes"]).fill_null(0.0))
    done = tried.filter(pl.col("packed_bytes").is_not_null())
    parts = f"size {sizes:.2f}; packed: {done.height} of {tried.height} networks"
    if done["packed_ms"].null_count():
        return Outcome(sizes, parts=parts, lacks=_NO_KERNELS)
    times = _mean((tried["float_ms"] / tried["packed_ms"]).fill_null(0.0))
    threads = ", ".join(map(str, sorted(tried["threads"].unique())))
    return Outcome(_quadratic(times, sizes), parts=f"time {times:.2f}, {parts}, threads: {threads}")


def _cheaper(whole: pl.Series, binary: pl.Series, price: float) -> pl.Series:
    return whole / (binary * price + (whole - binary))


def _mean(values: pl.Series) -> float:
    return float(np.mean(values.to_numpy()))


def _quadratic(*values: float) -> float:
    return float(quadratic_mean(np.array(values)))
