"""``bitproof report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitproof.cli.places import RunDir

NAME = "report"


def command(
    path: RunDir,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; DIR/report.html if not given.")] = None,
) -> None:
    """Write one self-contained HTML page that works offline."""
    from bitproof.report import write

    typer.echo(str(write(path, out)))
