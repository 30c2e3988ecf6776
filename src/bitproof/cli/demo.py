"""``bitproof demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "demo"


def command(out: Annotated[Path, typer.Option("-o", "--out", help="Results directory and page.")] = Path("bitproof-demo")) -> None:
    """Run the embedded default, from packages alone, and write its report (under 5 minutes on 2 cores)."""
    from bitproof.bench import run
    from bitproof.cli.progress import Bar
    from bitproof.cli.run import finish
    from bitproof.report import write

    grid = Path(__file__).with_name("demo.yaml").read_text(encoding="utf-8")
    with Bar() as bar:
        outcome = run(grid, out, bar)
    typer.echo(f"Report: {write(out)}")
    finish(outcome, out)
