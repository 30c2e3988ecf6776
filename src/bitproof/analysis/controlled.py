"""A defense that knows the label is worth nothing without its controls: which a run has, and what may be shown."""

from __future__ import annotations

from collections import defaultdict

import polars as pl

from bitproof.core import Spec

#: The controls that every patch has on clean pictures before any of its numbers is given.
CONTROLS = ("wrong", "random", "alone", "argmax")

#: Task, model, recipe, seed and defense.
Place = tuple[str, str, str, int, str]


def parted(defense: str) -> tuple[str, str | None]:
    """The defense of a row or a cell without its control, and the control: ``defensive-patch:on=float,control=wrong``."""
    spec = Spec.parse(defense)
    items = tuple(item for item in spec.items if item[0] != "control")
    return str(Spec(spec.name, items)), spec.options.get("control")


def uncontrolled(rows: pl.DataFrame) -> dict[Place, list[str]]:
    """Place → the controls that are missing on clean pictures, of each defense that was told the label."""
    if "shown" not in rows.columns:
        return {}
    keys = ["task", "model", "recipe", "seed", "defense"]
    plain = rows.filter(pl.col("shown").is_not_null(), pl.col("defense") != "none", ~pl.col("defense").str.contains("control="))
    there: dict[Place, set[str]] = defaultdict(set)
    clean = rows.filter(pl.col("noise") == "clean", pl.col("defense").str.contains("control="))
    for *place, defense in clean.select(keys).unique().iter_rows():
        name, control = parted(defense)
        there[*place, name].add(str(control))
    asked = [tuple(place) for place in plain.select(keys).unique(maintain_order=True).iter_rows()]
    missing = {place: [name for name in CONTROLS if name not in there[place]] for place in asked}
    return {place: names for place, names in missing.items() if names}


def settled(rows: pl.DataFrame) -> pl.DataFrame:
    """The same, without evidence and without what a later look at the rows would ask for controls by."""
    kept = controlled(rows).filter(pl.col("family") != "evidence")
    return kept.drop("shown") if "shown" in kept.columns else kept


def controlled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` without those behind a defense whose controls are missing."""
    missing = uncontrolled(rows)
    if not missing:
        return rows
    keys = ["task", "model", "recipe", "seed", "defense"]
    left_out = pl.DataFrame([dict(zip(keys, place, strict=True)) for place in missing], schema={k: rows.schema[k] for k in keys})
    return rows.join(left_out, on=keys, how="anti")
