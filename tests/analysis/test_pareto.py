"""Choices among recipes whose figures and costs are planted."""

import polars as pl
import pytest
from statements_rows import planted

from bitproof.analysis import Wishes, accuracy, pareto
from bitproof.core import SpecError
from bitproof.results.schema import VARIANTS

LEVELS = {"fp32": 0.9, "mse:w8a8": 0.85, "mse:w4a4": 0.7, "mse:w2a2": 0.4}
COSTS = {"fp32": (40.0, 20e6), "mse:w8a8": (50.0, 5e6), "mse:w4a4": (45.0, 2.5e6), "mse:w2a2": (60.0, 3e6)}


def rows(levels=LEVELS, model="m", n=400, **more):
    noises = {"clean": 0.0, "fog:3": 0.1, "frost:3": 0.2, "cv-area": 0.05}
    return planted(
        {r: {noise: level - cost for noise, cost in noises.items()} for r, level in levels.items()}, n, model=model, **more
    )


def variants(costs=COSTS, model="m"):
    made = [
        {"variant": f"{model} {recipe}", "task": "parquet:x", "model": model, "recipe": recipe, "seed": 0, "settings": "",
         "size_bytes": int(size), "float_bytes": 20_000_000, "latency_ms": ms, "threads": 1, "time_s": 1.0, "layers_low_bit": 1,
         "layers_float": 0, "differentiable": True}
        for recipe, (ms, size) in costs.items()
    ]  # fmt: skip
    return pl.DataFrame(made, schema=VARIANTS)


def chosen(*arguments):
    (choice,) = pareto(*arguments)
    return choice, {row["choice"]: row["recipe"] for row in choice.candidates.iter_rows(named=True) if row["choice"]}


def test_without_limits_the_most_robust_is_recommended_and_the_next_is_its_runner_up():
    choice, best = chosen(rows(), variants())
    assert choice.by == "nr" and best == {"recommended": "fp32", "runner-up": "mse:w8a8"}
    found = {row["recipe"]: row["value"] for row in choice.candidates.iter_rows(named=True)}
    assert choice.difference["delta"] == pytest.approx(found["fp32"] - found["mse:w8a8"])
    assert choice.difference["delta_low"] <= choice.difference["delta"] <= choice.difference["delta_high"]
    assert choice.difference["pairs"] == 400


@pytest.mark.parametrize(
    ("wishes", "best"),
    [
        (Wishes(max_mb=6), {"recommended": "mse:w8a8", "runner-up": "mse:w4a4"}),
        (Wishes(max_ms=46, max_mb=6), {"recommended": "mse:w4a4"}),
        (Wishes(min_clean=80), {"recommended": "fp32", "runner-up": "mse:w8a8"}),
        (Wishes(min_worst=60, max_mb=6), {"recommended": "mse:w8a8"}),
        (Wishes(least={"nr": 65}, max_mb=6), {"recommended": "mse:w8a8"}),
        (Wishes(least={"ece": 0}), {}),
        (Wishes(max_mb=1), {}),
        (Wishes(by="ece"), None),
    ],
)
def test_limits(wishes, best):
    choice, found = chosen(rows(), variants(), wishes)
    assert best is None or found == best
    rows_of = choice.candidates.iter_rows(named=True)
    assert all((row["choice"] is None) or (row["fails"] is None) for row in rows_of)


def test_dominated_is_worse_or_equal_in_everything():
    choice, _ = chosen(rows(), variants())
    told = dict(choice.candidates.select("recipe", "dominated_by").iter_rows())
    assert told == {"fp32": None, "mse:w8a8": None, "mse:w4a4": None, "mse:w2a2": "m mse:w4a4"}


def test_every_figure_goes_over_the_noises_that_all_met():
    some = rows().filter(~((pl.col("recipe") == "fp32") & (pl.col("noise") == "fog:3")))
    choice, _ = chosen(some, variants())
    assert choice.left_out == ("fog:3",)
    cells = accuracy(some).filter(pl.col("noise") == "frost:3")
    assert dict(choice.candidates.select("recipe", "value").iter_rows()) == pytest.approx(
        dict(cells.select("recipe", "value").iter_rows())
    )


def test_models_of_one_task_are_compared_on_the_same_samples():
    both = pl.concat([rows({"fp32": 0.6}), rows({"mse:w4a4": 0.9}, "other", draw=1)])
    (choice,) = pareto(both, pl.concat([variants(), variants(COSTS, "other")]))
    assert choice.candidates["model"].to_list() == ["other", "m"] and choice.difference["pairs"] == 400


def test_costs_that_are_not_known_meet_no_limit():
    choice, found = chosen(rows(), variants({}), Wishes(max_mb=100))
    assert found == {} and set(choice.candidates["fails"]) == {"MB is not known"}
    assert chosen(rows(), variants({}))[1]["recommended"] == "fp32"


def test_lower_is_better_for_some_figures():
    choice, found = chosen(rows(), variants(), Wishes(by="system_std"))
    least = choice.candidates.row(by_predicate=pl.col("value") == pl.col("value").min(), named=True)
    assert found["recommended"] == least["recipe"]


def test_what_cannot_be_chosen_by_is_refused():
    with pytest.raises(SpecError, match=r"'mfp' is not known.*nr"):
        pareto(rows(), variants(), Wishes(by="mfp"))
    with pytest.raises(SpecError, match=r"'confidence' is not known of every recipe here, or has no better side"):
        pareto(rows(), variants(), Wishes(by="confidence"))
    assert pareto(rows().filter((pl.col("recipe") == "fp32") == (pl.col("noise") == "clean")), variants()) == []
    assert pareto(rows().clear(), variants()) == []
