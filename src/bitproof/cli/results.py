"""``bitproof results``."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed
from bitproof.cli.places import RunDir

if TYPE_CHECKING:
    import polars as pl

NAME = "results"


class What(StrEnum):
    """The tables of a results directory."""

    summary = "summary"
    cells = "cells"
    variants = "variants"
    samples = "samples"
    defenses = "defenses"
    metrics = "metrics"
    scenarios = "scenarios"
    replies = "replies"


def command(
    path: RunDir,
    what: Annotated[
        What,
        typer.Option(
            "--what",
            help="One line a figure, a cell, a variant, a sample, a measure of GLUE, a defense; of vqa, a scenario, a reply.",
        ),
    ] = What.summary,
    against: Annotated[
        str | None, typer.Option(help="Compare the others with this recipe in place of the control.", metavar="RECIPE")
    ] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Print the figures of a run, each with its 95 % interval and its n."""
    check_forms(as_csv, as_json)
    frame = _frame(path, what, against)
    if not printed(frame, as_csv, as_json):
        _print(frame, what, against)
    _warn(path)


def _warn(path: Path) -> None:
    """Name the cells that failed: a table without them looks complete."""
    from bitproof.results import Store

    for failure in Store.open(path).failures():
        behind = "" if failure.get("defense", "none") == "none" else f" behind {failure['defense']}"
        name = f"{failure['model']} {failure['recipe']} {failure['noise']}{behind}"
        typer.secho(f"failed: {name}: {failure['error']}", fg="red", err=True)


def _frame(path: Path, what: What, against: str | None) -> pl.DataFrame:
    from bitproof import analysis, results
    from bitproof.cli.console import say_left_out

    if against is not None and what not in (What.summary, What.cells):
        raise typer.BadParameter("it compares figures (--what summary) and cells (--what cells)", param_hint="--against")
    if what is What.variants:
        return results.variants(path)
    if what in (What.scenarios, What.replies):
        said = results.replies(path)
        return analysis.questions(said) if what is What.scenarios else said
    rows = results.load(path)
    _check_ran(rows, against)
    if what in (What.summary, What.cells, What.metrics):
        say_left_out(rows, path)
    tables: dict[What, Callable[[pl.DataFrame], pl.DataFrame]] = {
        What.samples: lambda rows: rows,
        What.defenses: analysis.defended,
        What.metrics: analysis.metrics,
        What.cells: partial(analysis.accuracy, against=against),
        What.summary: partial(analysis.summary, imagenet=results.imagenet(path), against=against),
    }
    return tables[what](rows)


def _check_ran(rows: pl.DataFrame, recipe: str | None) -> None:
    """Raise UnknownName for a recipe that the run does not hold."""
    from bitproof.core import UnknownName

    known = sorted(rows["recipe"].unique())
    if recipe is not None and recipe not in known:
        raise UnknownName("recipe", recipe, known, f"The run holds {', '.join(known)}.")


def _print(frame: pl.DataFrame, what: What, against: str | None = None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import placed, wide

    console = wide()
    keys = ["task", "model", "defense"] if "defense" in frame.columns and what is not What.defenses else ["task", "model"]
    for part in frame.partition_by(keys, maintain_order=True):
        columns = {f"vs {against}" if against and name == "vs_control" else name: read for name, read in SHOWN[what].items()}
        title = placed(part.select(keys).row(0, named=True))
        table = Table(*columns, title=escape(title), title_justify="left", box=None, header_style="bold")
        for row in part.iter_rows(named=True):
            table.add_row(*(escape(read(row)) for read in columns.values()))
        console.print(table)


def _text(row: dict[str, Any], key: str) -> str:
    value = row[key]
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def _interval(row: dict[str, Any], key: str, low: str, high: str) -> str:
    """'88.20 [85.1, 90.7]'."""
    if row[key] is None:
        return "–"
    bounds = "" if row[low] is None else f" [{row[low]:.1f}, {row[high]:.1f}]"
    return f"{row[key]:.2f}{bounds}"


def _columns(*names: str, **intervals: tuple[str, str, str]) -> dict[str, Callable[[dict[str, Any]], str]]:
    plain = {name: partial(_text, key=name) for name in names}
    return {**plain, **{title: partial(_interval, key=k, low=lo, high=hi) for title, (k, lo, hi) in intervals.items()}}


_VALUE = {"value": ("value", "low", "high"), "vs_control": ("delta", "delta_low", "delta_high")}

#: Title → text of the columns that fit a terminal; --csv and --json give all.
SHOWN: dict[What, dict[str, Callable[[dict[str, Any]], str]]] = {
    What.summary: {**_columns("recipe", "figure", "n", **_VALUE), **_columns("verdict", "note")},
    What.cells: {
        **_columns("recipe", "noise", "n", **_VALUE, excess=("excess", "excess_low", "excess_high")),
        **_columns("churn", "ece", "verdict"),
    },
    What.variants: _columns("variant", "recipe", "size_bytes", "latency_ms", "time_s", "layers_low_bit", "layers_float"),
    What.metrics: _columns("recipe", "noise", "metric", "n", value=("value", "low", "high")),
    What.scenarios: {
        **_columns("recipe", "noise", "scenario", "n", **_VALUE),
        **_columns(hallucination=("hallucination", "hallucination_low", "hallucination_high")),
        **_columns("balanced", "yes_rate", "refusal", "unparsable", "phrasings", "repeats", "churn"),
    },
    What.replies: _columns("recipe", "noise", "sample", "trial", "answer", "status", "value", "reply"),
    What.defenses: {
        **_columns("recipe", "defense", "label", "noise", "n", "n_controls", "without", "value"),
        **_columns(gain=("gain", "gain_low", "gain_high"), label_free=("gain_free", "gain_free_low", "gain_free_high")),
        **_columns(over_random=("over_random", "over_random_low", "over_random_high")),
        **_columns(**{name: (name, f"{name}_low", f"{name}_high") for name in ("wrong", "pulled", "alone")}),
        **_columns("verdict", "note"),
    },
    What.samples: _columns("recipe", "noise", "sample", "label", "prediction", "correct", "margin"),
}
