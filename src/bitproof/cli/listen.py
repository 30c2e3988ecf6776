"""``bitproof listen``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "listen"


def command(
    wav: Annotated[Path, typer.Option("--wav", help="The recording: WAV, FLAC, OGG or MP3, of any length.")],
    model: Annotated[
        str, typer.Option("--model", help="A network of clips: zoo/NAME, or packed:FILE as 'bitproof export --packed' writes it.")
    ],
    hop: Annotated[float, typer.Option("--hop", help="Seconds from one window to the next.")] = 0.25,
    threshold: Annotated[float, typer.Option("--threshold", help="The least confidence that is told, 0 to 1.")] = 0.7,
    words: Annotated[
        str | None, typer.Option("--words", help="Names of the classes, with commas; else those of the 12-class task.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", help="Run a thinnable network at this depth, such as 8, 4, 2 or 1.")
    ] = None,
) -> None:
    """Print the keywords of a long recording with their times, window by window."""
    from bitproof.bench import Listening

    heard = 0
    for found in Listening(model, hop, threshold, words.split(",") if words else None, depth).hear(wav):
        typer.echo(f"{found.start_s:8.2f}–{found.end_s:.2f} s  {found.word:12s} {100 * found.confidence:5.1f} %")
        heard += 1
    if not heard:
        typer.echo(f"No keyword was heard with a confidence of {threshold:g} or more in {str(wav)!r}. Try a lower --threshold.")
