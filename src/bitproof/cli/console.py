"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

#: Columns of a table that goes to a file or a pipe, where nobody's window bounds it.
WIDTH = 240


def wide() -> Console:
    """A console as wide as the terminal, or ``WIDTH`` where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
