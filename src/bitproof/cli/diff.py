"""``bitproof diff``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed
from bitproof.cli.places import results_dir

if TYPE_CHECKING:
    import polars as pl

NAME = "diff"


class What(StrEnum):
    """What two runs are compared by."""

    figures = "figures"
    cells = "cells"


def command(
    before: Annotated[
        Path, typer.Argument(help="The run that sets the standard; a folder or a URL.", parser=results_dir, metavar="PATH")
    ],
    after: Annotated[Path, typer.Argument(help="The one that is judged.", parser=results_dir, metavar="PATH")],
    what: Annotated[
        What, typer.Option("--what", help="Compare figures (clean, nr, …) or the accuracy of each cell.")
    ] = What.figures,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="How much may be lost, in the figure's unit: points, of a distance 1/255.")
    ] = 0.0,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Say what became worse from one run to another; exit code 1 where something did."""
    check_forms(as_csv, as_json)
    from bitproof import analysis, results
    from bitproof.cli.console import say_left_out

    old, new = results.load(before), results.load(after)
    say_left_out(new, after)
    frame, notes = analysis.regressions(old, new, cells=what is What.cells, tolerance=tolerance)
    if not printed(frame, as_csv, as_json):
        _print(frame, tolerance)
    for note in notes:
        typer.secho(note, fg="yellow", err=True)
    if "regressed" in frame["change"]:
        raise typer.Exit(1)


def _print(frame: pl.DataFrame, tolerance: float) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    moved = frame.filter(change="regressed").vstack(frame.filter(change="improved"))
    if moved.height:
        table = Table(
            "change", "model", "recipe", "figure", "before", "after", "difference", "pairs", "p (Holm)", "verdict", box=None
        )
        for row in moved.iter_rows(named=True):
            table.add_row(*map(escape, _cells(row)))
        wide().print(table)
    counts = {change: frame.filter(change=change).height for change in ("regressed", "improved", "undecided")}
    beyond = f" by more than {tolerance:g}" if tolerance else ""
    typer.echo(
        f"{counts['regressed']} regressed{beyond}, {counts['improved']} improved{beyond}, {counts['undecided']} undecided, "
        f"of {frame.height} lines; the chance of any wrong 'regressed' is at most 5 % (Holm)."
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    p = row["p_worse"] if row["change"] == "regressed" else row["p_better"]
    delta = f"{row['delta']:+.2f} [{row['delta_low']:.1f}, {row['delta_high']:.1f}]"
    pairs = str(row["pairs"]) if row["pairs"] else "unpaired"
    name = row["recipe"] if row["defense"] == "none" else f"{row['recipe']} behind {row['defense']}"
    figures = f"{row['before']:.2f}", f"{row['after']:.2f}"
    return row["change"], row["model"], name, row["figure"], *figures, delta, pairs, f"{p:.4f}", row["verdict"] or "–"
