"""``bitproof classify``."""

from __future__ import annotations

from typing import Annotated

import typer

NAME = "classify"


def command(
    text: Annotated[list[str], typer.Option("--text", help="A text; may be repeated.")],
    model: Annotated[
        str, typer.Option("--model", help="A network of texts: packed:FILE as 'bitproof export --packed' writes it, or any other.")
    ],
    second: Annotated[
        list[str] | None, typer.Option("--second", help="The second sentence, where the network takes pairs; one for each --text.")
    ] = None,
    labels: Annotated[str | None, typer.Option("--labels", help="Names of the classes, with commas.")] = None,
) -> None:
    """Print what a network of texts says of a text, or of a pair of sentences."""
    from bitproof.bench import classify

    for said in classify(model, text, second or (), labels.split(",") if labels else None):
        figure = f"{said.value:.3f}" if said.confidence is None else f"{100 * said.confidence:.1f} %"
        typer.echo(f"{said.label}  {figure}  {said.text}")
