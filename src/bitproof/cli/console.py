"""Where tables are printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    import polars as pl

#: Columns of a table that goes to a file or a pipe, where nobody's window bounds it.
WIDTH = 240


def wide() -> Console:
    """A console as wide as the terminal, or ``WIDTH`` where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def placed(row: dict[str, Any]) -> str:
    """Where a line belongs: its task and model, and the defense that it stands behind, which may know the label."""
    place = f"{row['task']}   {row['model']}"
    if row.get("defense", "none") == "none":
        return place
    return f"{place}   behind {row['defense']}" + (f" (label {row['label']})" if row.get("label") else "")


def say_left_out(rows: pl.DataFrame, path: Path) -> None:
    """Say where the figures of ``path`` are that a table leaves out, since they are told beside their controls alone."""
    from bitproof.analysis import knowing

    if names := knowing(rows):
        typer.secho(
            f"Left out here: {', '.join(names)}. Whoever applies it knows the label, so figures stand beside its controls: "
            f"bitproof results {path} --what defenses",
            fg="yellow",
            err=True,
        )
