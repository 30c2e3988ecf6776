"""Which recipe to take: robustness × accuracy × latency × size, what is dominated, and what meets a user's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.audit import audited
from bitproof.analysis.blocks import Block, blocks
from bitproof.analysis.controlled import settled
from bitproof.analysis.estimates import level
from bitproof.analysis.measures import Measure
from bitproof.analysis.selection import select
from bitproof.analysis.summary import FIGURES, delta_of, measures_of
from bitproof.analysis.system import WORST
from bitproof.core import SpecError
from bitproof.results import is_imagenet

#: The figure that a choice is made by where none is named: the first that a run has.
BY = ("nr", "system_mean", "clean")

COLUMNS = pl.Schema(
    {name: pl.String() for name in ("task", "defense", "model", "recipe", "choice", "dominated_by", "fails", "by")}
    | {name: pl.Float64() for name in ("value", "low", "high")}
    | {"verdict": pl.String(), "n": pl.Int64()}
    | {name: pl.Float64() for name in ("clean", "clean_low", "clean_high", "worst", "worst_low", "worst_high")}
    | {"worst_noise": pl.String(), "latency_ms": pl.Float64(), "threads": pl.Int64(), "size_mb": pl.Float64()}
)

#: What a recommendation is called, and the best of the others.
RECOMMENDED, RUNNER_UP = "recommended", "runner-up"

Line = dict[str, Any]


@dataclass(frozen=True)
class Wishes:
    """What a choice must meet; None: anything goes.

    ``max_ms``: simulated latency. ``max_mb``: 10⁶ bytes. ``min_clean``, ``min_worst``: %. ``least``: figure → its least value, or
    the largest where lower is better. ``by``: the figure that decides among those that meet all; the first of ``BY`` if None.
    """

    max_ms: float | None = None
    max_mb: float | None = None
    min_clean: float | None = None
    min_worst: float | None = None
    least: Mapping[str, float] = field(default_factory=dict)
    by: str | None = None


@dataclass(frozen=True)
class Choice:
    """All candidates of one task behind one defense (``COLUMNS``), the difference of the best two, and what to know of it.

    ``difference``: recommended minus runner-up in the deciding figure, paired by sample, with the columns ``delta``,
    ``delta_low``, ``delta_high``, ``pairs``; empty where there are no two. ``left_out``: noises that not every candidate met.
    """

    task: str
    defense: str
    by: str
    candidates: pl.DataFrame
    difference: Line
    left_out: tuple[str, ...]


def pareto(rows: pl.DataFrame, variants: pl.DataFrame, wishes: Wishes | None = None) -> list[Choice]:
    """Return the choice among all models and recipes of each task and defense in ``rows`` (``core.SampleRow``).

    ``variants`` (``core.VariantRow``) tell size and latency; the latency is that of the simulation, in which low bits cost time
    and do not save it. Every figure goes over the noises that all candidates met. A candidate is dominated where another one is
    at least as good in the deciding figure, clean accuracy, latency and size, and better in one; by values, not by intervals.
    Candidates that have no noise and no clean cell in common make no choice.
    Raises SpecError where a figure is asked for that the run does not have.
    """
    rows, wishes = select(rows), wishes or Wishes()
    told = {(b.task, b.defense, b.model, recipe): found for b, each in audited(rows) for recipe, found in each.items()}
    parts = settled(rows).partition_by("task", "defense", as_dict=True)
    found = (_choice(str(task), str(defense), parts[task, defense], variants, told, wishes) for task, defense in sorted(parts))
    return [choice for choice in found if choice]


def _choice(
    task: str, defense: str, rows: pl.DataFrame, variants: pl.DataFrame, told: Mapping[Any, Any], wishes: Wishes
) -> Choice | None:
    rows, left_out = _met_by_all(rows)
    if rows.is_empty():
        return None
    block = _pooled(rows)
    known = {name: told.get((task, defense, *name.split("\n")), {}) for name in block.recipes}
    named = {name: {m.figure: m for m in _measures(block, name, task, known[name]) if m.tally} for name in block.recipes}
    by = _deciding(wishes, named)
    if by is None:
        return None
    lines = [
        {"task": task, "defense": defense, **_figures(block, name, by, wishes, named[name]), **_costs(task, name, variants)}
        for name in block.recipes
    ]
    for line in lines:
        line["dominated_by"] = _dominating(line, lines, _sign(by))
        line["fails"] = "; ".join(_unmet(line, wishes)) or None
    best = sorted(
        (line for line in lines if not line["fails"]), key=lambda line: (-_sign(by) * line["value"], line["size_mb"] or 0)
    )
    for line, word in zip(best, (RECOMMENDED, RUNNER_UP), strict=False):
        line["choice"] = word
    difference = _difference(block, by, best, named) if len(best) > 1 else {}
    frame = pl.DataFrame(lines, schema=COLUMNS).with_columns(pl.col(pl.Float64).fill_nan(None))
    return Choice(task, defense, by, frame.sort("value", descending=_sign(by) > 0, nulls_last=True), difference, left_out)


def _met_by_all(rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    counts = rows.group_by("noise").agg(pl.struct("model", "recipe").n_unique().alias("met"))
    everybody = rows.select("model", "recipe").n_unique()
    left = counts.filter(pl.col("met") < everybody)["noise"].sort().to_list()
    return rows.filter(~pl.col("noise").is_in(left)), tuple(left)


def _pooled(rows: pl.DataFrame) -> Block:
    """All models as recipes of one block, so that they are compared on the same samples."""
    named = rows.with_columns(recipe=pl.col("model") + "\n" + pl.col("recipe"), model=pl.lit(""))
    return next(blocks(named))


def _measures(block: Block, name: str, task: str, told: Mapping[Any, Any]) -> Iterator[Measure]:
    yield from measures_of(block, block.recipes[name], is_imagenet(task), told)
    columns = block.columns(lambda noise: noise.family in ("natural", "system"))
    if columns:
        yield Measure("worst", lambda cells: tallies.hits(cells, columns), reduction=WORST)


def _deciding(wishes: Wishes, named: Mapping[str, Mapping[str, Measure]]) -> str | None:
    shared = {each for each in set.intersection(*(set(figures) for figures in named.values())) if _better(each) != "neither"}
    for figure in filter(None, [wishes.by, *wishes.least]):
        if figure not in shared:
            known = ", ".join(sorted(shared))
            raise SpecError(
                f"The figure {figure!r} is not known of every recipe here, or has no better side. These are and have: {known}."
            )
    return wishes.by or next((figure for figure in BY if figure in shared), None)


def _sign(figure: str) -> int:
    return -1 if _better(figure) == "lower" else 1


def _better(figure: str) -> str:
    """Which side of a figure is better; ``worst``, the lowest accuracy under natural and system noises, is known here alone."""
    return "higher" if figure == "worst" else FIGURES[figure.partition(":")[0]].better


def _figures(block: Block, name: str, by: str, wishes: Wishes, measures: Mapping[str, Measure]) -> Line:
    model, _, recipe = name.partition("\n")
    line: Line = {"model": model, "recipe": recipe, "choice": None, "by": by, "verdict": measures[by].verdict}
    for figure, key in ((by, "value"), ("clean", "clean"), ("worst", "worst"), *((least, f"={least}") for least in wishes.least)):
        if figure in measures:
            line |= _level(block, name, measures[figure], key)
    line["worst_noise"] = _worst_noise(block, name)
    return {key: value for key, value in line.items() if key in COLUMNS or key.startswith("=")}


def _level(block: Block, name: str, measure: Measure, key: str) -> Line:
    tally = measure.tally(block.recipes[name]) if measure.tally else None
    if tally is None or not (tally.filled.all() if measure.reduction.whole else tally.filled.any()):
        return {key: None}
    value, low, high, n = (part.item() for part in level(tally.columns(tally.filled), measure.reduction, block.bootstrap))
    if not np.isfinite(value):
        return {key: None}
    bounds = {"low": low, "high": high, "n": n} if key == "value" else {f"{key}_low": low, f"{key}_high": high}
    return {key: value, **bounds}


def _worst_noise(block: Block, name: str) -> str | None:
    columns = block.columns(lambda noise: noise.family in ("natural", "system"))
    ratios = tallies.hits(block.recipes[name], columns).ratio()
    return block.noises[columns[int(np.nanargmin(ratios))]].noise if columns and np.isfinite(ratios).any() else None


def _costs(task: str, name: str, variants: pl.DataFrame) -> Line:
    model, _, recipe = name.partition("\n")
    plain, _, digits = recipe.removesuffix("]").partition(" [")
    made = variants.filter((pl.col("model") == model) & (pl.col("recipe") == plain) & (pl.col("task") == task))
    made = made.filter(pl.col("variant").str.starts_with(digits))
    if made.is_empty():
        return {"latency_ms": None, "threads": None, "size_mb": None}
    return {"latency_ms": made["latency_ms"].median(), "threads": made["threads"][0], "size_mb": made["size_bytes"][0] / 1e6}


def _dominating(line: Line, lines: Iterable[Line], sign: int) -> str | None:
    """The first candidate that is at least as good in everything and better in something."""
    mine = _goods(line, sign)
    for other in lines:
        theirs = _goods(other, sign)
        if all(a >= b for a, b in zip(theirs, mine, strict=True)) and theirs != mine:
            return f"{other['model']} {other['recipe']}"
    return None


def _goods(line: Line, sign: int) -> tuple[float, ...]:
    """Each objective as a number of which more is better; what is not known is worst."""
    wanted = ((line["value"], sign), (line.get("clean"), 1), (line["latency_ms"], -1), (line["size_mb"], -1))
    return tuple(-np.inf if value is None else way * value for value, way in wanted)


def _unmet(line: Line, wishes: Wishes) -> Iterator[str]:
    if line["value"] is None:
        yield f"{line['by']} is not known"
    limits = [
        ("latency_ms", wishes.max_ms, -1, "ms"),
        ("size_mb", wishes.max_mb, -1, "MB"),
        ("clean", wishes.min_clean, 1, "% clean"),
        ("worst", wishes.min_worst, 1, "% at worst"),
        *((f"={figure}", bound, _sign(figure), figure) for figure, bound in wishes.least.items()),
    ]
    for key, bound, way, unit in limits:
        value = line.get(key)
        if bound is not None and value is None:
            yield f"{unit} is not known"
        elif bound is not None and value is not None and way * value < way * bound:
            yield f"{value:.4g} {unit}"


def _difference(block: Block, by: str, best: list[Line], named: Mapping[str, Mapping[str, Measure]]) -> Line:
    ours, theirs = (f"{line['model']}\n{line['recipe']}" for line in best[:2])
    measure = named[ours][by]
    if measure.tally is None:
        return {}
    return delta_of(block, measure, measure.tally(block.recipes[ours]), measure.tally(block.recipes[theirs]))
