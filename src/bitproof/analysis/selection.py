"""Which rows enter the figures when a directory holds several runs of one thing."""

from __future__ import annotations

import polars as pl

_VARIANT = ["task", "model", "recipe", "seed"]
_CELL = [*_VARIANT, "defense", "noise"]


def select(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` with at most one row for each task, model, recipe, seed, defense, noise and sample.

    A directory that was run again with other settings holds several variants of a recipe: each then counts as a recipe of its
    own, named ``RECIPE [first digits of the variant's id]``. Of several cells of one variant and noise (another limit or batch
    size) the one with the most samples counts.
    """
    rows = _name_apart(rows)
    cells = rows.group_by(*_CELL, "cell").len().sort("len", "cell", descending=[True, False])
    largest = cells.unique(_CELL, keep="first", maintain_order=True)
    if largest.height == cells.height:
        return rows
    return rows.join(largest, on=[*_CELL, "cell"], how="semi")


def _name_apart(rows: pl.DataFrame) -> pl.DataFrame:
    variants = rows.group_by(*_VARIANT, "variant").len()
    several = variants.filter(pl.len().over(_VARIANT) > 1).select(*_VARIANT[:-1]).unique()
    if several.is_empty():
        return rows
    named = rows.join(several.with_columns(several=pl.lit(True)), on=_VARIANT[:-1], how="left")
    apart = pl.format("{} [{}]", "recipe", pl.col("variant").str.slice(0, 6))
    return named.with_columns(recipe=pl.when("several").then(apart).otherwise("recipe")).drop("several")
