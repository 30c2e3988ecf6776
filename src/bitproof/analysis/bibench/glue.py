"""GLUE's own measures in the place of accuracy: what a task of GLUE is scored by, as a ratio to the control, on every resample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from bitproof.analysis.bibench.places import Place
from bitproof.analysis.intervals import Array, Bootstrap
from bitproof.analysis.metrics import asked
from bitproof.analysis.naming import parsed

#: Task → the measures whose mean scores it; accuracy of any other. Source: GLUE (arXiv 1804.07461), table 1.
MEASURES = {
    "cola": ("matthews",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
}


def data_set(task: str) -> str:
    """Return the data set that a task counts as: all tasks of GLUE are one, any other is its own."""
    return "GLUE" if _is_glue(task) else task


def scored(places: Iterable[Place], recipe: str, rows: pl.DataFrame) -> list[Place]:
    """Return the places of ``recipe`` with GLUE's measures where GLUE has others than accuracy. Seeds are pooled."""
    clean = rows.filter(family="clean")
    return [_scored(place, recipe, clean) for place in places]


def _is_glue(task: str) -> bool:
    return parsed(task).name.rpartition("/")[2] == "glue"


def _scored(place: Place, recipe: str, clean: pl.DataFrame) -> Place:
    name = next(iter(parsed(place.task).values), "") if _is_glue(place.task) else ""
    if name not in MEASURES:
        return place
    here = clean.filter(task=place.task, model=place.model)
    ours, theirs = (here.filter(recipe=each) for each in (recipe, place.control))
    ours, theirs = ours.join(theirs, on=["sample", "seed"], how="semi"), theirs.join(ours, on=["sample", "seed"], how="semi")
    boot = Bootstrap(ours["sample"].n_unique(), "bibench", place.task, ours["sample"].n_unique())
    bi, fp = (np.mean([_draws(part, measure, boot) for measure in MEASURES[name]], axis=0) for part in (ours, theirs))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(fp > 0, np.maximum(np.nan_to_num(bi), 0) / fp, np.nan)  # a constant answer has no correlation: 0
    return replace(place, accuracy=ratio, measure=" and ".join(MEASURES[name]))


def _draws(part: pl.DataFrame, measure: str, boot: Bootstrap) -> Array:
    """The measure on all samples, and on each resample; a sample brings its rows of every seed."""
    found = {name: (columns, formula) for name, columns, formula in asked(part)}
    if measure not in found:
        return np.full(1 + len(boot.counts), np.nan)
    columns, formula = found[measure]
    sums = np.zeros((boot.counts.shape[1], columns.shape[1]))
    np.add.at(sums, part["sample"].cast(pl.Enum(part["sample"].unique().sort())).to_physical().to_numpy(), columns)
    return np.concatenate([formula(sums.sum(axis=0))[None], formula(boot.sums(sums))])
