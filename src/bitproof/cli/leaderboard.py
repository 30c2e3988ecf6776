"""``bitproof leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitproof.cli.places import results_dir

NAME = "leaderboard"


def command(
    runs: Annotated[list[Path], typer.Argument(help="Results directories, or their URLs.", parser=results_dir, metavar="PATH…")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder of the site.")],
) -> None:
    """Write a static, sortable site: every recipe of several runs, and the page of each run."""
    from bitproof.report import write_leaderboard

    typer.echo(str(write_leaderboard(runs, out)))
