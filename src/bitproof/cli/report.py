"""``bitproof report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "report"


def command(
    path: Annotated[Path, typer.Argument(help="A results directory.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; DIR/report.html if not given.")] = None,
) -> None:
    """Write one self-contained HTML page that works offline."""
    from bitproof.report import write

    typer.echo(str(write(path, out)))
