"""``bitproof quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitproof.core import SpecError

if TYPE_CHECKING:
    from bitproof.bench import Detected

NAME = "quantize"


def command(
    model: Annotated[str, typer.Argument(help="timm/NAME, torchvision/NAME, python:FILE.py#factory,…, efficientnet-lite0, …")],
    recipe: Annotated[str, typer.Argument(help="METHOD:wNaM, e.g. mse:w8a8")],
    calibration: Annotated[
        str, typer.Option("--calibration", help="The data whose pictures set the ranges, e.g. imagefolder:DIR, coco:DIR")
    ],
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="How many of them, drawn by seed 0; else 256, of a detector's 32.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the low-bit state dict and its report here.")] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(
            "--evaluate", help="Of a detector: average precision, float and low-bit, on coco:DIR[,split=val2017,first=N]."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Where --evaluate computes: auto, cpu, cuda:0, mps, …")] = "auto",
) -> None:
    """Make one low-bit variant and tell of every layer whether it changed, and if not, why."""
    if evaluate is None and device != "auto":
        raise SpecError(f"--device {device} says where --evaluate computes, and nothing is evaluated. Leave it out.")
    from bitproof.tasks import is_coco

    if evaluate is not None or is_coco(calibration):
        _detector(model, recipe, calibration, n, out, evaluate, device)
        return
    from bitproof.bench import quantize

    report = quantize(model, recipe, calibration, 256 if n is None else n, out)
    typer.echo(str(report))
    if out is not None:
        typer.echo(f"Written: {out / 'model.safetensors'}, {out / 'report.json'}")


def _detector(
    model: str, recipe: str, calibration: str, n: int | None, out: Path | None, evaluate: str | None, device: str
) -> None:
    from bitproof.bench import quantize_detector
    from bitproof.cli.progress import Bar

    with Bar() as bar:
        found = quantize_detector(model, recipe, calibration, n, out, evaluate, bar, device)
    typer.echo(str(found.report))
    if found.full:
        _print(found)
    if out is not None:
        names = ["model.safetensors", "report.json", *["precision.json"] * bool(found.full)]
        typer.echo(f"Written: {', '.join(str(out / name) for name in names)}")


def _print(found: Detected) -> None:
    from rich.table import Table

    from bitproof.cli.console import wide

    names = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "small": "small", "medium": "medium", "large": "large"}
    table = Table("of", "network", *names.values(), box=None, header_style="bold")
    for full, low in zip(found.full, found.low, strict=True):
        values = [(getattr(full, name), getattr(low, name)) for name in names]
        table.add_row(full.of, "float", *(_text(a) for a, _ in values))
        table.add_row("", "low-bit", *(_text(b) for _, b in values))
        table.add_row("", "difference", *(_text(None if a is None or b is None else b - a, "+") for a, b in values))
    wide().print(table)
    left_out = f"; {found.left_out} more were calibrated on and are left out" * bool(found.left_out)
    typer.echo(
        f"COCO's average precision, %, n = {found.n} picture{'s' * (found.n != 1)}{left_out}. "
        "No interval: average precision is no mean over pictures, and a small difference may be these pictures alone."
    )


def _text(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.2f}"
