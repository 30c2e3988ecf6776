"""All scenarios into one table."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from bitproof.tasks.vqa import SCENARIOS
from tools.vqa_pack.draws import VERSION
from tools.vqa_pack.record import LICENCE, Scene, records

TEXTS = pl.List(pl.String)
SCHEMA: dict[str, Any] = {
    "item": pl.String,
    "image": pl.Binary,
    "scenario": pl.String,
    "questions": TEXTS,
    "answer_type": pl.String,
    "answer": pl.String,
    "aliases": TEXTS,
    "rejected": TEXTS,
    "options": TEXTS,
    "tolerance": pl.Float64,
    "negative": pl.Boolean,
    "group": pl.String,
    "licence": pl.String,
    "source": pl.String,
}


def scenes(scenario: str) -> list[Scene]:
    """Return the scenes of a scenario, by its slug."""
    module = importlib.import_module(f"tools.vqa_pack.scenarios.{scenario.replace('-', '_')}")
    made: list[Scene] = module.scenes()
    return made


def build(scenarios: Iterable[str] = SCENARIOS) -> Iterator[dict[str, Any]]:
    """Yield the records of the scenarios, by default of all fifteen in their order."""
    for scenario in scenarios:
        yield from records(scenario, scenes(scenario))


def table(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Return records as a table with the pack's columns."""
    return pl.DataFrame(list(rows), schema=SCHEMA)


def write(pack: pl.DataFrame, path: Path) -> None:
    """Write the pack; its metadata say what it is."""
    about = {"title": "bitproof embedded vision-language pack", "version": str(VERSION), "licence": LICENCE}
    path.parent.mkdir(parents=True, exist_ok=True)
    pack.write_parquet(path, compression="zstd", compression_level=19, statistics=False, metadata=about)
