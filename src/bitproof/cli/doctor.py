"""``bitproof doctor``."""

from __future__ import annotations

import typer

NAME = "doctor"


def command() -> None:
    """Say what this machine and this installation can do."""
    from bitproof.bench import doctor

    for line in doctor():
        typer.echo(line)
