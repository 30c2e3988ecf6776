"""BiBench's three tracks of efficiency: training consumption, theoretical complexity, hardware inference."""

from __future__ import annotations

import polars as pl

from bitproof.analysis.bibench.track import Outcome

_SENSITIVITY = (
    "sensitivity std(A_fp)/std(A_bi) left out: it needs trainings over optimizer × learning rate × schedule, "
    "which variant rows do not tell apart"
)
_OPERATIONS = "r_s left out: rows hold no operation counts"
_HARDWARE = (
    "no deployed network in the rows that is known to be this recipe (latency_ms is the simulation's); "
    "'bitproof export DIR RECIPE --packed' writes one and prints its size on disk, 'packed:FILE' stands in a grid"
)


def training(recipe: str, networks: pl.DataFrame) -> Outcome:
    """Formula: T_fp/T_bi of the same task, model and seed, mean over them; only ``float`` goes through the same training."""
    pairs = networks.filter(recipe=recipe).join(networks.filter(recipe="float"), on=["task", "model", "seed"], suffix="_fp")
    pairs = pairs.filter((pl.col("time_s") > 0) & (pl.col("time_s_fp") > 0))
    if pairs.is_empty():
        return Outcome(lacks="no training time of this recipe and of 'float' on one task, model and seed; add float to recipes")
    times, count = (pairs["time_s_fp"] / pairs["time_s"]).to_list(), pairs.height
    parts = f"time_s beside float, trainings: {count}, as the machines of the run took them"
    return Outcome(sum(times) / count, parts=parts, lacks=_SENSITIVITY)


def complexity(recipe: str, networks: pl.DataFrame) -> Outcome:
    """Formula: r_c = float_bytes/size_bytes, mean over networks.

    Differs from the paper: sizes as stored, so scales and layers of 8 bits count as they are; the paper counts 1/32 for each
    binarized parameter and 32 bits for all others.
    """
    sizes = networks.filter((pl.col("recipe") == recipe) & (pl.col("size_bytes") > 0)).unique(
        ["task", "model"], maintain_order=True
    )
    if sizes.is_empty():
        return Outcome(lacks="no variant row of this recipe with a size; the directory was not finished: run it again")
    ratios = (sizes["float_bytes"] / sizes["size_bytes"]).to_list()
    parts = f"float_bytes/size_bytes, networks: {len(ratios)}; scales counted, where BiBench counts 1/32 a binarized parameter"
    return Outcome(sum(ratios) / len(ratios), parts=parts, lacks=_OPERATIONS)


def hardware() -> Outcome:
    """Missing: rows hold simulated latency, and a packed network's row does not say which recipe it was."""
    return Outcome(lacks=_HARDWARE)
