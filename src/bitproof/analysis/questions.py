"""What chat models answered, scenario by scenario: what was right, refused, seen that is not there, steady."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis.blocks import CONTROLS
from bitproof.analysis.intervals import Array, Bootstrap, band, wilson

#: Below so many items a scenario is marked: n is too small to tell models apart.
FEW = 50

#: The scenario of the lines over all of them.
ALL = "all"

_HEAD = ("task", "model", "recipe", "defense", "noise")
_NUMBERS = (
    *(
        "value",
        "low",
        "high",
        "balanced",
        "balanced_low",
        "balanced_high",
        "hallucination",
        "hallucination_low",
        "hallucination_high",
    ),
    *("delta", "delta_low", "delta_high", "churn", "churn_low", "churn_high"),
    *("score", "f1", "yes_rate", "refusal", "unparsable", "phrasings", "repeats", "position_bias", "latency_ms", "cost"),
)
COLUMNS = pl.Schema(
    {name: pl.String() for name in (*_HEAD, "scenario", "control")}
    | {name: pl.Int64() for name in ("n", "askings", "pairs", "tokens")}
    | {"few": pl.Boolean()}
    | {name: pl.Float64() for name in _NUMBERS}
)


def questions(replies: pl.DataFrame) -> pl.DataFrame:
    """Return one line a task, model, recipe, noise and scenario of ``replies`` (columns of ``core.ReplyRow``), with ``COLUMNS``.

    ``n`` items, asked ``askings`` times; ``few``: n < 50. ``value``: right answers, %; refusals and what could not be read count
    as not right, and stand apart as ``refusal`` and ``unparsable``. ``score``: mean with part of the credit, %.
    ``balanced``: mean of the shares right where yes and where no is true; ``f1`` of yes; ``yes_rate``: yes among yes and no said;
    ``hallucination``: answers to matched negatives that see what is not there. ``phrasings``, ``repeats``: items whose answer is
    the same in all of them, %. ``position_bias``: ½ Σ_p |share chosen − share right at place p| of a choice's options, points.
    ``delta``: ``value`` minus the control's on the ``pairs`` items in common, points; ``churn``: askings whose answer is not the
    control's. Intervals: Wilson's where each picture is asked about once, else a bootstrap over pictures (``group``).
    Source: yes-rate and negatives POPE (arXiv 2305.10355). Differs from the paper: yes-rate among what could be read.
    """
    lines = [line for part in replies.partition_by("task", "model", "defense", "noise") for line in _lines(part)]
    return pl.DataFrame(lines, schema=COLUMNS).with_columns(pl.col(pl.Float64).fill_nan(None)).sort(_HEAD, maintain_order=True)


def _lines(part: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The lines of one model under one noise."""
    told = part.with_columns(
        said=pl.when(pl.col("status") == "right").then(pl.lit("right")).otherwise(pl.format("{} {}", "status", "value"))
    )
    control = next((name for name in CONTROLS if name in set(told["recipe"])), None)
    scenarios = sorted(told["scenario"].unique())
    for (recipe,), own in told.partition_by("recipe", as_dict=True, maintain_order=True).items():
        theirs = told.filter(recipe=control) if control and control != recipe else None
        for scenario in [ALL, *scenarios] if len(scenarios) > 1 else scenarios:
            mine = own if scenario == ALL else own.filter(scenario=scenario)
            if not mine.is_empty():
                head = {name: mine[name][0] for name in _HEAD} | {"scenario": scenario, "control": control}
                yield head | _own(mine) | ({} if theirs is None else _compared(mine, theirs))


def _own(rows: pl.DataFrame) -> dict[str, Any]:
    right, status = rows["status"] == "right", rows["status"]
    items = rows["sample"].n_unique()
    tokens = rows.select(pl.sum("tokens_in").fill_null(0) + pl.sum("tokens_out").fill_null(0)).item()
    figures = {
        "n": items,
        "askings": rows.height,
        "few": items < FEW,
        "tokens": tokens,
        "latency_ms": rows["latency_ms"].median(),
        "cost": rows["cost"].sum(),
    }
    share = _share("value", rows, right.to_numpy())
    figures |= {name.removeprefix("value_"): number for name, number in share.items()}
    figures |= {"score": _mean(rows["score"]), "refusal": _mean(status == "refusal"), "unparsable": _mean(status == "unparsable")}
    figures |= _decisions(rows.filter(answer_type="yes-no"))
    negatives = rows.filter("negative")
    figures |= _share("hallucination", negatives, (negatives["status"] == "wrong").to_numpy())
    figures |= {"phrasings": _steady(rows.filter(repeat=0), "phrasing"), "repeats": _steady(rows, "repeat", "phrasing")}
    return figures | {"position_bias": _position_bias(rows.filter(answer_type="choice"))}


def _decisions(rows: pl.DataFrame) -> dict[str, Any]:
    """The figures of yes and no."""
    true, right = (rows["answer"] == "yes").to_numpy(), (rows["status"] == "right").to_numpy()
    said = rows.filter(pl.col("value").is_in(["yes", "no"]))
    if not rows.height or true.all() or not true.any():
        return {"yes_rate": _mean(said["value"] == "yes")}
    clusters = _clusters(rows)
    value, low, high = _ratios(clusters, [(right & true, true), (right & ~true, ~true)])
    hits, claimed = int((right & true).sum()), int((rows["value"] == "yes").sum())
    f1 = 200 * hits / (claimed + int(true.sum())) if claimed + true.sum() else np.nan
    return {"balanced": value, "balanced_low": low, "balanced_high": high, "f1": f1, "yes_rate": _mean(said["value"] == "yes")}


def _compared(rows: pl.DataFrame, control: pl.DataFrame) -> dict[str, Any]:
    keys = ["sample", "trial", "seed"]
    both = rows.join(control.select(*keys, other=pl.col("said")), on=keys)
    if both.is_empty():
        return {}
    ours, theirs = ((both[name] == "right").to_numpy().astype(np.int8) for name in ("said", "other"))
    clusters, seen = _clusters(both), np.ones(both.height)
    delta, low, high = _ratios(clusters, [(ours - theirs, seen)], (-100.0, 100.0))
    churn = _share("churn", both, (both["said"] != both["other"]).to_numpy())
    return {"pairs": both["sample"].n_unique(), "delta": delta, "delta_low": low, "delta_high": high, **churn}


def _share(name: str, rows: pl.DataFrame, hit: Array) -> dict[str, Any]:
    """A share of the askings, %, with its interval; nothing where there are none."""
    if not rows.height:
        return {}
    if rows["group"].n_unique() == rows.height:
        low, high = (bound.item() for bound in wilson(int(hit.sum()), rows.height))
        return {name: 100 * float(hit.mean()), f"{name}_low": low, f"{name}_high": high}
    value, low, high = _ratios(_clusters(rows), [(hit, np.ones(rows.height))])
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _clusters(rows: pl.DataFrame) -> Array:
    """The number of each row's picture: what is drawn anew."""
    return rows["group"].rank("dense").to_numpy().astype(int) - 1


def _ratios(
    clusters: Array, parts: list[tuple[Array, Array]], bounds: tuple[float, float] = (0.0, 100.0)
) -> tuple[float, float, float]:
    """Mean over ``parts`` of Σhit/Σseen, %, with its bootstrap interval over clusters."""
    n = int(clusters.max()) + 1
    sums = [[np.bincount(clusters, each.astype(float), n) for each in part] for part in parts]
    value = np.mean([hit.sum() / seen.sum() for hit, seen in sums])
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.mean([_bootstrap(n).sums(hit) / _bootstrap(n).sums(seen) for hit, seen in sums], axis=0)
    low, high = band(np.asarray(100 * value), 100 * draws, np.asarray(n), bounds)
    return 100 * float(value), low.item(), high.item()


@lru_cache(maxsize=64)
def _bootstrap(n: int) -> Bootstrap:
    return Bootstrap(n, "questions", n)


def _mean(values: pl.Series) -> float:
    mean = values.cast(pl.Float64).mean()
    return 100 * float(mean) if isinstance(mean, float) else np.nan


def _steady(rows: pl.DataFrame, over: str, *within: str) -> float:
    """The share of items whose answer is the same ``over`` phrasings or repeats, of those that were asked in several; %."""
    each = rows.group_by("sample", "seed", *within).agg(asked=pl.col(over).n_unique(), answers=pl.col("said").n_unique())
    several = each.filter(pl.col("asked") > 1).group_by("sample", "seed").agg(same=(pl.col("answers") == 1).all())
    return _mean(several["same"])


def _position_bias(rows: pl.DataFrame) -> float:
    chosen = rows.filter(pl.col("position").is_not_null())
    if chosen.is_empty():
        return np.nan
    options = chosen["options"].str.split("|")
    right = [each.to_list().index(answer) for each, answer in zip(options, chosen["answer"], strict=True)]
    most = max(map(len, options))
    shares = [np.bincount(places, minlength=most) / chosen.height for places in (chosen["position"].to_numpy(), right)]
    return 50 * float(np.abs(shares[0] - shares[1]).sum())
