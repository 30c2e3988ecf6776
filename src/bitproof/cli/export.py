"""``bitproof export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "export"


def command(
    what: Annotated[str, typer.Argument(help="A results directory, or a model such as efficientnet-lite0.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Write model.onnx, qonnx.onnx or packed.safetensors, and export.json, here.")
    ],
    recipe: Annotated[
        str | None, typer.Argument(help="METHOD:wNaM or fp32; of a run, one of its recipes or the first digits of a variant's id.")
    ] = None,
    calibration: Annotated[str | None, typer.Option("--calibration", help="The data whose samples set a model's ranges.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many of them, drawn by seed 0.")] = 256,
    data: Annotated[
        str | None, typer.Option("--data", help="Data to compare on; else the run's, or what is left of the calibration's.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many samples are compared.")] = 64,
    noises: Annotated[
        list[str] | None, typer.Option("--compare", help="Compare under this noise too, e.g. fog:3; may be repeated.")
    ] = None,
    bias: Annotated[str, typer.Option("--bias", help="int32: rounded inside fused kernels; float: exact, and slower.")] = "int32",
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="Convs of more than a pixel without a fused kernel in onnxruntime multiply their codes as floats."
        ),
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time the file beside that of the float network, in onnxruntime.")
    ] = False,
    qonnx: Annotated[
        bool, typer.Option("--qonnx", help="Write QONNX: float ONNX with a quantizing node each, at any bits.")
    ] = False,
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
    """Write a network as ONNX on integers, as QONNX, or with 1-bit layers packed, and compare it with the simulation."""
    from bitproof.bench import export, export_packed, export_qonnx, subject
    from bitproof.cli.exported import depths_of, lines, packed_lines, qonnx_lines
    from bitproof.core import SpecError

    if packed and qonnx:
        raise SpecError("--packed and --qonnx are two kinds of file. Leave one of them out, and export again for the other.")
    if (packed or qonnx) and (bias != "int32" or fast or measure):
        raise SpecError("--bias, --fast and --measure are for ONNX files of integers. Leave them out, or --packed and --qonnx.")
    if depths is not None and not packed:
        raise SpecError("--depths is for packed networks. Add --packed.")
    found = subject(what, recipe, calibration, n, data)
    if packed:
        told = packed_lines(export_packed(found, out, noises or (), limit, depths_of(depths)))
    elif qonnx:
        told = qonnx_lines(export_qonnx(found, out, noises or (), limit))
    else:
        told = lines(export(found, out, noises or (), limit, bias, fast, measure))
    for line in told:
        typer.echo(line)
