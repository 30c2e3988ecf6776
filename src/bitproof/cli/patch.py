"""``bitproof patch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "patch"

app = typer.Typer(help="Patches that a run fitted.", no_args_is_help=True)


@app.command("print")
def print_sheet(
    path: Annotated[Path, typer.Argument(help="A results directory, or the folder of one patch in it (RUN/defenses/ID).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The sheet: a .pdf, or a .png of one page.")],
    defense: Annotated[str | None, typer.Option("--defense", help="Of a run: the spec or the first digits of the id.")] = None,
    classes: Annotated[str | None, typer.Option("--classes", help="Labels, for example 0,3,7; all without.")] = None,
    side_mm: Annotated[float, typer.Option("--side-mm", help="Side of the whole picture that a patch frames, in mm.")] = 80.0,
    dpi: Annotated[int, typer.Option("--dpi", help="Dots an inch.")] = 300,
    paper: Annotated[str, typer.Option("--paper", help="a4, a3 or letter.")] = "a4",
) -> None:
    """Lay patches on paper at a physical size, with a line of 50 mm to measure."""
    from bitproof.bench import print_patches
    from bitproof.defenses import Sheet

    patches, pages = print_patches(path, out, defense, classes, Sheet(side_mm, dpi, paper))
    typer.echo(f"{patches} patches of {side_mm:g} mm on {pages} page{'s' * (pages > 1)}: {out}. Print at 100 %, without fitting.")


@app.command("list")
def list_patches(path: Annotated[Path, typer.Argument(help="A results directory.")]) -> None:
    """Say which patches a run fitted, and on what."""
    from bitproof.results import Store

    for name, info in Store.open(path).defenses().items():
        on = ", ".join(f"{each['recipe']} of {each['model']}" for each in info["fitted_on"])
        typer.echo(f"{name}  {info['defense']}: {len(info['labels'])} classes, {info['size_px']} px, fitted on {on}")
