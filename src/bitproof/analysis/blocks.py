"""Rows as dense arrays: one block a (task, model, defense), in it one array sample × noise × seed for each recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from bitproof.analysis.controlled import unlabelled
from bitproof.analysis.intervals import Array, Bootstrap
from bitproof.analysis.selection import select

FAMILIES = ("clean", "natural", "perturbation", "system", "field", "adversarial", "mixed")

#: The recipes that others are compared with, the better control first.
CONTROLS = ("float", "fp32")

#: What begins the recipe of a network that others of a grid are low-bit versions of and that is none of these: given:w8a8.
GIVEN = "given:"

#: What a defense knows of the label.
KNOWN, FREE = "known", "free"


class Noise(NamedTuple):
    """What tells the columns of a block apart."""

    noise: str
    name: str
    family: str
    severity: int | None


@dataclass(frozen=True)
class Cells:
    """The outcomes of one recipe, each array sample × noise × seed; where ``seen`` is false there is no row.

    Where samples are asked several times, the third axis holds every trial of every seed: what is drawn anew is a sample.
    """

    seen: Array
    correct: Array
    prediction: Array
    confidence: Array
    loss: Array
    shown: Array  # the class whose patch was on the picture, -1 where there was none
    distance: Array  # NaN where a minimum-norm attack found none, and for other noises
    gradient: tuple[str | None, ...]  # one a noise

    def at(self, columns: Sequence[int]) -> Cells:
        """The same for some of the noises."""
        arrays = {field.name: getattr(self, field.name)[:, list(columns)] for field in fields(self)[:-1]}
        return replace(self, **arrays, gradient=tuple(self.gradient[i] for i in columns))


@dataclass(frozen=True)
class Block:
    """All recipes of one task, model and defense, on common axes."""

    task: str
    model: str
    defense: str
    samples: int
    trials: int
    noises: tuple[Noise, ...]
    recipes: dict[str, Cells]
    evidence: dict[str, pl.DataFrame]

    @property
    def nothing(self) -> pl.DataFrame:
        """No evidence, with the columns that evidence has."""
        return pl.DataFrame(schema={"correct": pl.Boolean, "zero_exact": pl.Boolean, "zero_ste": pl.Boolean, "margin": pl.Float64})

    @property
    def control(self) -> str | None:
        """The recipe that the others are compared with: ``float``, else ``fp32``, else what was given, else none."""
        given = (name for name in self.recipes if name.startswith(GIVEN))
        return next((name for name in CONTROLS if name in self.recipes), next(given, None))

    def rival(self, against: str | None) -> str | None:
        """The recipe that figures are compared with: ``against``, or the control where none is named; None where it was not run."""
        return self.control if against is None else against if against in self.recipes else None

    @property
    def label(self) -> str | None:
        """Whether the class is ``known`` to whoever applies the defense, or ``free``; None where there is no defense."""
        if self.defense == "none":
            return None
        return KNOWN if any((cells.shown >= 0).any() for cells in self.recipes.values()) else FREE

    @property
    def clean(self) -> int | None:
        """The column of the clean cell."""
        return next(iter(self.columns(lambda noise: noise.family == "clean")), None)

    def columns(self, wanted: Callable[[Noise], bool]) -> list[int]:
        """The columns of the noises that are ``wanted``, in order."""
        return [i for i, noise in enumerate(self.noises) if wanted(noise)]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Resamples of the samples, the same for every recipe and noise, so that all comparisons are paired."""
        return Bootstrap(self.samples, self.task, self.model, self.defense, self.samples)


def blocks(rows: pl.DataFrame, *, known: bool = False) -> Iterator[Block]:
    """Yield the blocks of ``rows`` (columns of ``core.SampleRow``, in any order) by task, model and defense; evidence apart.

    What stands behind a defense that knows the label is left out unless ``known``, since its figures are not told without controls.
    """
    chosen = select(rows) if known else unlabelled(select(rows))
    told = chosen.filter(family="evidence", name="evidence").partition_by("task", "model", "defense", as_dict=True)
    parts = chosen.filter(pl.col("family") != "evidence").partition_by("task", "model", "defense", as_dict=True)
    for task, model, defense in sorted(parts, key=lambda place: (*place[:2], place[2] != "none", place[2])):
        evidence = told.get((task, model, defense), chosen.clear())
        yield _block(str(task), str(model), str(defense), parts[task, model, defense], evidence)


def _block(task: str, model: str, defense: str, rows: pl.DataFrame, told: pl.DataFrame) -> Block:
    noises = _noises(rows)
    samples, seeds = rows["sample"].unique().sort(), rows["seed"].unique().sort()
    trial = pl.col("trial").fill_null(0) if "trial" in rows.columns else pl.lit(0)
    trials = int(rows.select(trial.max()).item()) + 1
    shape = (len(samples), len(noises), len(seeds) * trials)
    rows = rows.with_columns(
        pl.col("sample").cast(pl.Enum(samples)).to_physical(),
        pl.col("noise").cast(pl.Enum([noise.noise for noise in noises])).to_physical(),
        pl.col("seed").replace_strict(seeds, pl.Series(range(len(seeds)))) * trials + trial,
    )
    parts = rows.partition_by("recipe", as_dict=True)
    recipes = {str(recipe): _cells(part, shape) for (recipe,), part in sorted(parts.items())}
    evidence = {str(recipe): part for (recipe,), part in told.partition_by("recipe", as_dict=True).items()}
    return Block(task, model, defense, len(samples), trials, noises, recipes, evidence)


def _noises(rows: pl.DataFrame) -> tuple[Noise, ...]:
    found = (
        rows.select(Noise._fields).unique().sort(Noise._fields, nulls_last=True).unique("noise", keep="first", maintain_order=True)
    )
    return tuple(sorted(map(Noise._make, found.iter_rows()), key=_order))


def _order(noise: Noise) -> tuple[int, str, int, str]:
    rank = FAMILIES.index(noise.family) if noise.family in FAMILIES else len(FAMILIES)
    return rank, noise.name, noise.severity or 0, noise.noise


def _cells(rows: pl.DataFrame, shape: tuple[int, int, int]) -> Cells:
    index = tuple(rows[name].to_numpy() for name in ("sample", "noise", "seed"))

    def dense(values: Array, empty: object) -> Array:
        array = np.full(shape, empty, values.dtype)
        array[index] = values
        return array

    gradient = dict(rows.select("noise", "gradient").unique().sort("gradient", nulls_last=True).reverse().iter_rows())
    return Cells(
        seen=dense(np.ones(rows.height, bool), False),
        correct=dense(rows["correct"].to_numpy(), False),
        prediction=dense(rows["prediction"].to_numpy(), -1),
        confidence=dense(rows["confidence"].to_numpy(), np.nan),
        loss=dense(rows["loss"].to_numpy(), np.nan),
        shown=dense(rows["shown"].fill_null(-1).to_numpy() if "shown" in rows.columns else np.full(rows.height, -1), -1),
        distance=dense(rows["distance"].cast(pl.Float64).to_numpy(), np.nan),
        gradient=tuple(gradient.get(i) for i in range(shape[1])),
    )
