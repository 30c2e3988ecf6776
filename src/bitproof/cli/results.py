"""``bitproof results``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

NAME = "results"


class What(StrEnum):
    """The tables of a results directory."""

    summary = "summary"
    cells = "cells"
    variants = "variants"
    samples = "samples"


def command(
    path: Annotated[Path, typer.Argument(help="A results directory.")],
    what: Annotated[What, typer.Option("--what", help="One line a figure, a cell, a variant or a sample.")] = What.summary,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, every column.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, every column.")] = False,
) -> None:
    """Print the figures of a run, each with its 95 % interval and its n."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv or --json, not both")
    frame = _frame(path, what)
    if as_csv:
        typer.echo(frame.write_csv(), nl=False)
    elif as_json:
        typer.echo(frame.write_json())
    else:
        _print(frame, what)


def _frame(path: Path, what: What) -> pl.DataFrame:
    from bitproof import analysis, results

    if what is What.variants:
        return results.variants(path)
    rows = results.load(path)
    if what is What.samples:
        return rows
    return analysis.accuracy(rows) if what is What.cells else analysis.summary(rows, imagenet=results.imagenet(path))


#: The columns that fit a terminal; --csv and --json give all.
SHOWN = {
    What.summary: ("model", "recipe", "figure", "value", "low", "high", "n", "delta", "delta_low", "delta_high", "note"),
    What.cells: (
        "model",
        "recipe",
        "noise",
        "n",
        "value",
        "low",
        "high",
        "delta",
        "delta_low",
        "delta_high",
        "excess",
        "churn",
        "ece",
    ),
    What.variants: ("variant", "model", "recipe", "size_bytes", "latency_ms", "time_s", "layers_low_bit", "layers_float"),
    What.samples: ("model", "recipe", "noise", "sample", "label", "prediction", "correct", "margin"),
}


def _print(frame: pl.DataFrame, what: What) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = [name for name in SHOWN[what] if name in frame.columns]
    for task, part in frame.group_by("task", maintain_order=True) if "task" in frame.columns else [(("",), frame)]:
        table = Table(*columns, title=str(task[0]), title_justify="left", box=None, header_style="bold")
        for row in part.select(columns).iter_rows():
            table.add_row(*(_text(value) for value in row))
        Console().print(table)


def _text(value: object) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else escape(str(value))
