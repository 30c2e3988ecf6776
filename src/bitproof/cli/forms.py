"""The forms of a table for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

AsCsv = Annotated[bool, typer.Option("--csv", help="Comma-separated, every line and column.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list, every line and column.")]


def check_forms(as_csv: bool, as_json: bool) -> None:
    """Refuse both at once, before anything is read."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv or --json, not both")


def printed(frame: pl.DataFrame, as_csv: bool, as_json: bool) -> bool:
    """Print ``frame`` in the form that was asked for; return whether one was."""
    if as_csv or as_json:
        typer.echo(frame.write_csv() if as_csv else frame.write_json(), nl=as_json)
    return as_csv or as_json
