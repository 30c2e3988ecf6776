"""BiBench's six tracks for every binarized recipe of a run: overall metrics, what they rest on, and what is missing for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from bitproof.analysis.bibench import accuracy, efficiency
from bitproof.analysis.bibench.detection import detected
from bitproof.analysis.bibench.families import checked
from bitproof.analysis.bibench.glue import scored
from bitproof.analysis.bibench.order import ordered
from bitproof.analysis.bibench.places import Place, places
from bitproof.analysis.bibench.radar import radar
from bitproof.analysis.bibench.settings import Spread, spread, usual
from bitproof.analysis.bibench.track import FORMULAS, SOURCE, Outcome
from bitproof.analysis.blocks import CONTROLS, blocks
from bitproof.analysis.naming import parsed, recipe_bits
from bitproof.analysis.selection import select
from bitproof.core import SpecError

COLUMNS = pl.Schema(
    {name: pl.String() for name in ("recipe", "method", "track", "status")}
    | {name: pl.Float64() for name in ("value", "low", "high")}
    | {"n": pl.Int64(), "computed_from": pl.String(), "lacks": pl.String(), "radar": pl.Float64()}
    | {name: pl.Int64() for name in ("rank", "radar_rank", "ranked", "pairs_apart", "pairs_agree")}
    | {"tau_b": pl.Float64(), "order": pl.String()}
    | {"formula": pl.String(), "source": pl.String()}
)

_IDENTITY = ["task", "model", "recipe", "seed", "variant"]


def bibench(
    rows: pl.DataFrame,
    variants: pl.DataFrame,
    families: Mapping[str, str] | None = None,
    precisions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return one line a binarized recipe and track, with ``COLUMNS``.

    ``rows`` have the columns of ``core.SampleRow``, ``variants`` those of ``core.VariantRow``; both may hold several runs.
    ``families``: model → cnn, transformer or mlp, where its name does not tell. A recipe of w1a1 counts as binarized; its control
    is ``float``, else ``fp32``, of the same task and model. Rows behind a defense do not enter. Where a network was trained under
    several settings, the spread over them enters ``training``, and the other tracks take the setting with the most rows.
    ``precisions``: what detectors reached, as ``results.precision`` reads it.

    ``value`` is a ratio, 1 = as the control, more is better, over the parts that are there (``status`` whole, part or missing;
    ``lacks`` says what to run); ``low`` and ``high`` are its 95 % interval over samples, null where a track is not made of samples.
    ``n``: the fewest samples behind one of its ratios. ``radar``: the published figure, read off, for orders alone: ``rank`` and
    ``radar_rank`` are those of the ``ranked`` recipes that have both and stand on the same tasks and models, ``order`` names them,
    best first; of ``pairs_apart`` pairs that the figure tells apart ``pairs_agree`` stand in its order; ``tau_b`` is Kendall's.

    Raises SpecError.
    """
    every = rows.filter(defense="none").unique(["cell", "sample", "trial"], keep="first", maintain_order=True)
    rows = select(usual(every, variants))
    names = {*rows["recipe"].unique(), *(() if precisions is None else precisions["recipe"].unique())}
    recipes = sorted(recipe for recipe in names if recipe_bits(recipe) == (1, 1))
    if not recipes:
        found = ", ".join(sorted(names)) or "no rows"
        raise SpecError(f"No binarized recipe to evaluate: found {found}. Add one to recipes of the grid, such as bireal:w1a1.")
    said = checked(families or {}, rows["model"].unique())
    measured = variants.unique("variant", keep="first").drop("task", "model", "recipe", "seed")
    networks = rows.select(_IDENTITY).unique().join(measured, on="variant", how="left").sort(_IDENTITY)
    found_at = places(blocks(rows.filter(pl.col("recipe").is_in([*recipes, *CONTROLS]))), recipes)
    lines = [
        _line(recipe, *each)
        for recipe in recipes
        for each in _outcomes(
            (recipe, networks, said),
            scored(found_at[recipe], recipe, rows),
            detected(recipe, precisions),
            spread(recipe, every, variants),
        ).items()
    ]
    return pl.DataFrame(ordered(lines, _grounds(recipes, networks, precisions)), schema=COLUMNS)


def _outcomes(
    of: tuple[str, pl.DataFrame, Mapping[str, str]], found: list[Place], detectors: list[Place], over: Spread | None
) -> dict[str, Outcome]:
    recipe, networks, said = of
    none = Outcome(lacks=_uncontrolled(networks))
    return {
        "task": accuracy.task([*found, *detectors]) if found or detectors else none,
        "architecture": accuracy.architecture(found, said) if found else none,
        "robustness": accuracy.robustness(found) if found else none,
        "training": efficiency.training(recipe, networks, over),
        "complexity": efficiency.complexity(recipe, networks),
        "hardware": efficiency.hardware(recipe, networks),
    }


def _grounds(recipes: list[str], networks: pl.DataFrame, precisions: pl.DataFrame | None) -> dict[tuple[str, str], set[Any]]:
    """Recipe and track → the tasks and models that it was evaluated on, and for the learning tasks the detectors."""
    found = {recipe: set(networks.filter(recipe=recipe).select("task", "model").iter_rows()) for recipe in recipes}
    grounds = {(recipe, track): found[recipe] for recipe in recipes for track in FORMULAS}
    if precisions is not None:
        for recipe in recipes:
            grounds[recipe, "task"] = found[recipe] | set(precisions.filter(recipe=recipe).select("task", "model").iter_rows())
    return grounds


def _uncontrolled(networks: pl.DataFrame) -> str:
    """Why a recipe has nothing to be compared with."""
    if several := sorted(name for name in networks["recipe"].unique() if name.startswith(tuple(f"{each} [" for each in CONTROLS))):
        return f"several trainings of the control ({', '.join(several)}): read their directories one at a time"
    return "no clean samples in common with a float control; add clean to noises and float to recipes of the grid"


def _line(recipe: str, track: str, outcome: Outcome) -> dict[str, Any]:
    method = parsed(recipe).name
    figures = {"value": outcome.value, "low": outcome.low, "high": outcome.high, "n": outcome.n}
    told = {"computed_from": outcome.parts or None, "lacks": outcome.lacks or None, "radar": radar(method, track)}
    name = {"recipe": recipe, "method": method, "track": track, "status": outcome.status}
    return {**name, **figures, **told, "formula": FORMULAS[track], "source": SOURCE}
