"""``bitproof export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "export"


def command(
    what: Annotated[str, typer.Argument(help="A results directory, or a model such as efficientnet-lite0.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Write model.onnx, or packed.safetensors, and export.json here.")],
    recipe: Annotated[
        str | None, typer.Argument(help="METHOD:wNaM or fp32; of a run, one of its recipes or the first digits of a variant's id.")
    ] = None,
    calibration: Annotated[str | None, typer.Option("--calibration", help="The data whose pictures set a model's ranges.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many of them, drawn by seed 0.")] = 256,
    pictures: Annotated[
        str | None, typer.Option("--pictures", help="Data to compare on; else the run's, or what is left of the calibration's.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many pictures are compared.")] = 64,
    noises: Annotated[
        list[str] | None, typer.Option("--compare", help="Compare under this noise too, e.g. fog:3; may be repeated.")
    ] = None,
    bias: Annotated[str, typer.Option("--bias", help="int32: rounded inside fused kernels; float: exact, and slower.")] = "int32",
    packed: Annotated[
        bool, typer.Option("--packed", help="Write 1-bit layers as bits for bitproof's own kernels, not ONNX.")
    ] = False,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths", help="With --packed, of a thinnable network: several depths in one file, e.g. 8,4,2,1; the first runs."
        ),
    ] = None,
) -> None:
    """Write a network as ONNX, low-bit ones on integers, or with 1-bit layers packed, and compare it with the simulation."""
    from bitproof.bench import export, export_packed, subject
    from bitproof.cli.exported import depths_of, lines, packed_lines
    from bitproof.core import SpecError

    if packed and bias != "int32":
        raise SpecError("--bias is for ONNX files; a packed network rounds no bias. Leave one of the two out.")
    if depths is not None and not packed:
        raise SpecError("--depths is for packed networks. Add --packed.")
    found = subject(what, recipe, calibration, n, pictures)
    if packed:
        told = packed_lines(export_packed(found, out, noises or (), limit, depths_of(depths)))
    else:
        told = lines(export(found, out, noises or (), limit, bias))
    for line in told:
        typer.echo(line)
