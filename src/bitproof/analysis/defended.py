"""What a defense gains over none, noise by noise, beside its controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.audit import Ball, Finding, audited, verdict_on
from bitproof.analysis.blocks import FREE, KNOWN, Block, Cells, blocks
from bitproof.analysis.controlled import Place, knowing, parted, uncontrolled
from bitproof.analysis.estimates import EACH, MEAN, Level, Reduction, Tally, difference, level
from bitproof.analysis.intervals import Array
from bitproof.analysis.selection import select
from bitproof.core import Spec

_NOT_SHOWN = "not shown without"

_SPREAD = ("without", "value", "gain", "gain_free", "gain_random", "over_random", "wrong", "pulled", "alone")
COLUMNS = pl.Schema(
    {name: pl.String() for name in ("task", "model", "recipe", "defense", "label", "noise", "family")}
    | {"fitted_on": pl.String(), "severity": pl.Int64(), "n": pl.Int64(), "n_controls": pl.Int64()}
    | {f"{name}{end}": pl.Float64() for name in _SPREAD for end in ("", "_low", "_high")}
    | {"verdict": pl.String(), "note": pl.String()}
)


def defended(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a line for each defense, recipe and noise of ``rows`` (columns of ``core.SampleRow``), with ``COLUMNS``.

    A line whose ``noise`` is ``mean`` is over all cells of its family. On the ``n`` samples that met both, %:
    ``without`` accuracy behind no defense, ``value`` behind this one, ``gain`` their difference in points, paired by sample.
    ``label``: ``known`` to whoever applies the defense, or ``free``. Of a defense that knows it: ``gain_free``, without the label
    (each class tried with its own patch, if it has one; the likeliest is the answer); ``gain_random``, of a random pattern of the
    same place and energy, and ``over_random``, what the patch gains over that; ``wrong``, accuracy with another class's patch, and
    ``pulled``, how often the answer is then the patch's class; ``alone``, on clean lines: how often the patch on grey, without a
    picture, is its class.
    ``fitted_on``: model and recipe of the networks that it was fitted on, joined by `` + ``.
    All with 95 % intervals, those of controls on the run's ``n_controls`` samples, which may be fewer than ``n``. Where a control
    is missing under a noise nothing is given of that, where one is missing on clean pictures nothing at all; ``note`` names it.
    ``verdict``: of the masking audit behind the defense, for attacks.
    """
    chosen = select(rows)
    if chosen.is_empty() or chosen["defense"].n_unique() < 2:
        return pl.DataFrame(schema=COLUMNS)
    missing = uncontrolled(chosen)
    told = {(block.task, block.model, block.defense): found for block, found in audited(rows, known=True)}
    known, models = knowing(chosen), chosen.select("task", "model").unique().rows()
    lines: list[dict[str, Any]] = []
    for block in blocks(_together(chosen)):
        for name in block.recipes:
            recipe, defense = name.split("\n")
            if defense == "none" or parted(defense)[1]:
                continue
            head = {"task": block.task, "model": block.model, "recipe": recipe, "defense": defense}
            head["label"] = KNOWN if defense in known else FREE
            if head["label"] == KNOWN or Spec.parse(defense).options.get("label") == "free":
                names = [model for task, model in models if task == block.task]
                head["fitted_on"] = fitted_on(defense, block.model, recipe, names)
            lacking = _lacking(missing, (block.task, block.model, recipe, defense))
            if "clean" in lacking:
                lines.append(head | {"noise": "mean", "note": f"{_NOT_SHOWN} its controls: {', '.join(lacking['clean'])}"})
            else:
                verdicts = told.get((block.task, block.model, defense), {}).get(recipe, {})
                lines += (head | line for line in _Case(block, recipe, defense).lines(verdicts, lacking))
    return pl.DataFrame(lines, schema=COLUMNS).with_columns(pl.col(pl.Float64).fill_nan(None))


def fitted_on(defense: str, model: str, recipe: str, models: Sequence[str]) -> str:
    """The networks that a defense names; ``own`` is what it is applied to, a short name is resolved among ``models``."""
    said = Spec.parse(defense).options
    recipes = [recipe if name == "own" else name for name in said.get("on", "own").split("+")]
    named = [model if name == "own" else _full(name, models) for name in said.get("models", "own").split("+")]
    return " + ".join(f"{each} {how}" for each in named for how in recipes)


def _full(name: str, models: Sequence[str]) -> str:
    return next((model for model in models if name in (model, model.partition(":")[0])), name)


def _lacking(missing: Mapping[Place, Mapping[str, list[str]]], wanted: tuple[str, str, str, str]) -> dict[str, list[str]]:
    """Noise → the controls that some seed lacks under it."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for (task, model, recipe, _, defense), noises in missing.items():
        if (task, model, recipe, defense) == wanted:
            for noise, names in noises.items():
                found[noise] |= dict.fromkeys(names)
    return {noise: list(names) for noise, names in found.items()}


def _together(rows: pl.DataFrame) -> pl.DataFrame:
    """All defenses of a recipe as recipes of one block, controls under the family of their noise."""
    family = dict(rows.filter(pl.col("family") != "evidence").select("noise", "family").unique().iter_rows())
    return rows.filter(pl.col("noise").is_in(list(family))).with_columns(
        recipe=pl.format("{}\n{}", "recipe", "defense"),
        defense=pl.lit("none"),
        family=pl.col("noise").replace_strict(family, return_dtype=pl.String()),
        shown=pl.when(pl.col("defense").str.contains("control=wrong")).then("shown"),
    )


class _Case:
    """One recipe behind one defense, beside itself behind none."""

    def __init__(self, block: Block, recipe: str, defense: str) -> None:
        self.block = block
        self.bare, self.ours = block.recipes.get(f"{recipe}\nnone"), block.recipes[f"{recipe}\n{defense}"]
        spec = [name for name in block.recipes if name.partition("\n")[0] == recipe]
        self.controls = {
            str(control): block.recipes[name]
            for name in spec
            for base, control in [parted(name.partition("\n")[2])]
            if control and base == defense
        }

    def lines(self, verdicts: Mapping[Ball, Finding], lacking: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
        """A line a noise, and one a family that has several; without figures where a noise is ``lacking`` controls."""
        seen = [i for i in range(len(self.block.noises)) if self.ours.seen[:, i].any()]
        families: dict[str, list[int]] = {}
        for i in seen:
            families.setdefault(self.block.noises[i].family, []).append(i)
        for family, columns in families.items():
            if len(columns) > 1 and family != "adversarial":
                without = [name for i in columns if (name := self.block.noises[i].noise) in lacking]
                said = {"note": f"{_NOT_SHOWN} the controls of {', '.join(without)}"} if without else self._figures(columns, MEAN)
                yield {"noise": "mean", "family": family} | said
        for i in seen:
            noise = self.block.noises[i]
            attacked = noise.family == "adversarial"
            head = {"noise": noise.noise, "family": noise.family, "severity": noise.severity}
            if noise.noise in lacking:
                yield head | {"note": f"{_NOT_SHOWN} its controls: {', '.join(lacking[noise.noise])}"}
            else:
                yield head | self._figures([i], EACH) | {"verdict": verdict_on(verdicts, [noise.noise]) if attacked else None}

    def _figures(self, columns: Sequence[int], reduction: Reduction) -> dict[str, Any]:
        ours = tallies.hits(self.ours, columns)
        found: dict[str, Any] = {}
        if self.bare is not None:
            bare = tallies.hits(self.bare, columns)
            common = ours.seen & bare.seen
            if common.any():
                found |= self._level("without", bare.only(common), reduction)
                found |= self._difference("gain", ours, bare, reduction)
            for name, control in (("gain_free", "argmax"), ("gain_random", "random")):
                found |= self._difference(name, self._hits(control, columns), bare, reduction)
        found |= self._level("value", ours, reduction) | self._difference(
            "over_random", ours, self._hits("random", columns), reduction
        )
        found |= self._level("wrong", self._hits("wrong", columns), reduction)
        found |= self._level("pulled", self._pulled(columns), reduction) | self._level(
            "alone", self._hits("alone", columns), reduction
        )
        compared = [n for cells in self.controls.values() if (n := _samples(cells.seen[:, columns]))]
        return found | {"n": _samples(ours.seen), "n_controls": min(compared, default=None)}

    def _hits(self, control: str, columns: Sequence[int]) -> Tally | None:
        cells = self.controls.get(control)
        return None if cells is None else tallies.hits(cells, columns)

    def _pulled(self, columns: Sequence[int]) -> Tally | None:
        cells: Cells | None = self.controls.get("wrong")
        if cells is None:
            return None
        part = cells.at(columns)
        return Tally(part.prediction == part.shown, part.seen)

    def _level(self, name: str, tally: Tally | None, reduction: Reduction) -> dict[str, float]:
        if tally is None or not tally.filled.all():
            return {}
        return _named(name, level(tally, reduction, self.block.bootstrap))

    def _difference(self, name: str, ours: Tally | None, theirs: Tally | None, reduction: Reduction) -> dict[str, float]:
        if ours is None or theirs is None:
            return {}
        common = np.asarray((ours.seen & theirs.seen).any(axis=(0, 2)))
        if not common.all():
            return {}
        return _named(name, difference(ours, theirs, reduction, self.block.bootstrap))


def _samples(seen: Array) -> int:
    """How many samples have a row, of sample × noise × seed."""
    return int(seen.any(axis=(1, 2)).sum())


def _named(name: str, figure: Level) -> dict[str, float]:
    value, low, high = (np.atleast_1d(part)[0].item() for part in figure[:3])
    return {name: value, f"{name}_low": low, f"{name}_high": high}
