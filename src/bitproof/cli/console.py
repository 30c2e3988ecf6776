"""Where tables are printed."""

from __future__ import annotations

from typing import Any

from rich.console import Console

#: Columns of a table that goes to a file or a pipe, where nobody's window bounds it.
WIDTH = 240


def wide() -> Console:
    """A console as wide as the terminal, or ``WIDTH`` where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def placed(row: dict[str, Any]) -> str:
    """Where a line of figures belongs: its task and model, and the defense that it stands behind, which may know the label."""
    place = f"{row['task']}   {row['model']}"
    if row.get("defense", "none") == "none":
        return place
    return f"{place}   behind {row['defense']}" + (f" (label {row['label']})" if row.get("label") else "")
