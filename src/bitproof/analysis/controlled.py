"""A defense that knows the label is worth nothing without its controls: which a run has, and what may be told without them."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

from bitproof.core import Spec

#: The controls that every patch has on clean pictures.
CONTROLS = ("wrong", "random", "alone", "argmax")

#: Task, model, recipe, seed and defense.
Place = tuple[str, str, str, int, str]

_PLACE = ("task", "model", "recipe", "seed", "defense")


def parted(defense: str) -> tuple[str, str | None]:
    """The defense of a row or a cell without its control, and the control: ``defensive-patch:on=float,control=wrong``."""
    spec = Spec.parse(defense)
    items = tuple(item for item in spec.items if item[0] != "control")
    return str(Spec(spec.name, items)), spec.options.get("control")


def needed(noise: str, attacked: bool) -> tuple[str, ...]:
    """The controls that a patch has under a noise: ``alone`` needs none; ``argmax`` not under attack, as nobody attacks all."""
    return tuple(name for name in CONTROLS if (name != "alone" or noise == "clean") and not (name == "argmax" and attacked))


def knowing(rows: pl.DataFrame) -> list[str]:
    """The defenses of ``rows`` that were told the label."""
    if "shown" not in rows.columns:
        return []
    told = rows.filter(pl.col("shown").is_not_null(), pl.col("defense") != "none")["defense"].unique()
    return sorted({parted(defense)[0] for defense in told})


def _behind(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row stands behind a defense that was told the label, or is a control of one."""
    names = set(knowing(rows))
    return pl.col("defense").is_in([each for each in rows["defense"].unique() if parted(each)[0] in names] if names else [])


def unlabelled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` without those behind a defense that was told the label: their figures are told by ``defended`` alone."""
    return rows.filter(~_behind(rows))


def settled(rows: pl.DataFrame) -> pl.DataFrame:
    """The same, without evidence too."""
    return unlabelled(rows).filter(pl.col("family") != "evidence")


def uncontrolled(rows: pl.DataFrame) -> dict[Place, dict[str, list[str]]]:
    """Place → noise → the controls that are missing there, of each defense that was told the label; on clean pictures always."""
    attacked = pl.col("queries").is_not_null().any()
    cells = rows.filter(_behind(rows)).group_by(*_PLACE, "noise", "family", maintain_order=True).agg(attacked)
    met: dict[Place, dict[str, bool]] = defaultdict(lambda: {"clean": False})
    there: dict[tuple[Place, str], set[str | None]] = defaultdict(set)
    for task, model, recipe, seed, defense, noise, family, queries in cells.iter_rows():
        name, control = parted(defense)
        place = (task, model, recipe, seed, name)
        if control:
            there[place, noise].add(control)
        elif family != "evidence":
            met[place][noise] = queries
    missing = {
        place: {noise: [name for name in needed(noise, hit) if name not in there[place, noise]] for noise, hit in noises.items()}
        for place, noises in met.items()
    }
    lacking = {place: {noise: names for noise, names in noises.items() if names} for place, noises in missing.items()}
    return {place: noises for place, noises in lacking.items() if noises}
