"""``bitproof quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "quantize"


def command(
    model: Annotated[str, typer.Argument(help="timm/NAME, torchvision/NAME, python:FILE.py#factory,…, efficientnet-lite0, …")],
    recipe: Annotated[str, typer.Argument(help="METHOD:wNaM, e.g. mse:w8a8")],
    calibration: Annotated[str, typer.Option("--calibration", help="The data whose pictures set the ranges, e.g. imagefolder:DIR")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many of them, drawn by seed 0.")] = 256,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the low-bit state dict and its report here.")] = None,
) -> None:
    """Make one low-bit variant and tell of every layer whether it changed, and if not, why."""
    from bitproof.bench import quantize

    report = quantize(model, recipe, calibration, n, out)
    typer.echo(str(report))
    if out is not None:
        typer.echo(f"Written: {out / 'model.safetensors'}, {out / 'report.json'}")
