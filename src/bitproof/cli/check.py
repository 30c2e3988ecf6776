"""``bitproof check``."""

from __future__ import annotations

from typing import Annotated

import typer

from bitproof.cli.places import RunDir

NAME = "check"


def command(
    path: RunDir,
    cells: Annotated[int, typer.Option("--cells", min=0, help="How many cells to compute again; 0: none.")] = 2,
    draw: Annotated[int, typer.Option("--seed", help="Which cells they are.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False,
) -> None:
    """Verify a run: its files, rows, ids and samples, and some cells computed again; exit code 1 where something is wrong."""
    import dataclasses
    import json

    from bitproof.bench import check
    from bitproof.cli.progress import Bar

    with Bar() as bar:
        found = check(path, cells, draw, bar)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            typer.echo(f"{each.state:8} {each.name:8} {each.said}")
    if any(each.state == "failed" for each in found):
        raise typer.Exit(1)
