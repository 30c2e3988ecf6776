"""One method under several training settings: which of them the other tracks take, and how accuracy spreads over all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

#: What counts as a hyper-parameter: what a teacher, an attack or augmentation adds to a training does not.
_HYPER = re.compile(
    r"(?:^|,)((?:batch_size|decay|epochs|lr|milestones|min_lr|optimizer|schedule|warmup_epochs|warmup_lr|weight_decay)=[^,]*)"
)

#: The rate of a low-bit network's float teacher, where that has its own.
_TEACHER_LR = re.compile(r"(?:^|,)teacher_lr=([^,]*)")

_NETWORK = ["task", "model", "recipe", "seed"]


@dataclass(frozen=True)
class Spread:
    """std(A_fp)/std(A_bi) over the ``settings`` and seeds that both were trained with, mean over tasks and models."""

    ratio: float
    settings: int
    trainings: int


def hyper(training: str) -> str:
    """The hyper-parameters among the settings of a training, as they are written there; the rate is its float teacher's."""
    taught = _TEACHER_LR.search(training)
    return ",".join(f"lr={taught[1]}" if taught and each.startswith("lr=") else each for each in _HYPER.findall(training))


def usual(rows: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` without those networks that were trained otherwise than most rows of their task and model.

    A network is left out only where the same recipe and seed stand there in the usual setting too.
    """
    named = rows.join(_hypers(variants), on="variant", how="left")
    counts = named.drop_nulls("hyper").group_by("task", "model", "hyper").len().sort("len", "hyper", descending=[True, False])
    first = counts.unique(["task", "model"], keep="first", maintain_order=True).select("task", "model", usual="hyper")
    fits = pl.col("hyper") == pl.col("usual")
    named = named.join(first, on=["task", "model"], how="left")
    other = (~fits & fits.any().over(_NETWORK)).fill_null(False)
    return named.filter(~other).drop("hyper", "usual")


def spread(recipe: str, rows: pl.DataFrame, variants: pl.DataFrame) -> Spread | None:
    """Return how much less clean accuracy spreads than the control's, None where no two settings are in common.

    A spread below half a sample counts as half a sample, so that the ratio stays finite.
    """
    found = _accuracies(rows, variants)
    ours, theirs = found.filter(recipe=recipe), found.filter(recipe="float")
    both = ours.join(theirs, on=["task", "model", "seed", "hyper"], suffix="_fp")
    both = both.filter(pl.col("hyper").n_unique().over("task", "model") > 1)
    if both.is_empty():
        return None
    floor = 0.5 / pl.min_horizontal(pl.col("n").min(), pl.col("n_fp").min())
    a_fp, a_bi = (pl.max_horizontal(pl.col(name).std(), floor) for name in ("accuracy_fp", "accuracy"))
    ratios = both.group_by("task", "model").agg(ratio=a_fp / a_bi)["ratio"]
    return Spread(float(ratios.to_numpy().mean()), both["hyper"].n_unique(), both.height)


def _accuracies(rows: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    """Clean accuracy of each training, of several cells of one network that with the most samples."""
    clean = rows.filter(family="clean").join(_hypers(variants).drop_nulls(), on="variant")
    cells = clean.group_by(*_NETWORK, "hyper", "variant", "cell").agg(accuracy=pl.col("correct").mean(), n=pl.len())
    order = cells.sort("n", "cell", descending=[True, False])
    return order.unique([*_NETWORK, "hyper"], keep="first", maintain_order=True)


def _hypers(variants: pl.DataFrame) -> pl.DataFrame:
    """Variant → its hyper-parameters, null where it was not trained."""
    known = [None if training is None else hyper(training) for training in variants["training"]]
    return variants.select("variant", hyper=pl.Series(known, dtype=pl.String)).unique("variant", keep="first")
