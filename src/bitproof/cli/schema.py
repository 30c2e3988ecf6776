"""``bitproof schema``."""

from __future__ import annotations

import json

import typer

NAME = "schema"


def command() -> None:
    """Print the JSON schema of a grid file, for editors."""
    from bitproof.bench import schema

    typer.echo(json.dumps(schema(), indent=2))
