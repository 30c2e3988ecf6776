"""``bitproof fidelity``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

NAME = "fidelity"


def command(
    task: Annotated[str, typer.Argument(help="The pictures: imagenet:DIR, parquet:FILE, photos, … as in a grid.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="How many of them; all if not given.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="A network that is evaluated under both sides.")] = None,
    noises: Annotated[list[str] | None, typer.Option("--noise", help="A corruption, e.g. fog; all 19 if not given.")] = None,
    severities: Annotated[list[int] | None, typer.Option("--severity", help="1 to 5; all five if not given.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the table here; a comparison that was killed goes on.")
    ] = None,
) -> None:
    """Compare each corruption with the reference implementation (imagecorruptions-imaug) on the same pictures."""
    from bitproof.bench import fidelity
    from bitproof.cli.progress import Bar
    from bitproof.report import fidelity_text
    from bitproof.results import Pieces

    pieces = Pieces(out) if out else None
    with pieces.lock() if pieces else nullcontext(), Bar() as bar:
        lines, notes = fidelity(task, limit, model, noises or (), severities or (), pieces, bar)
    text = fidelity_text(lines, notes)
    typer.echo(text, nl=False)
    if pieces:
        pieces.write("fidelity.txt", text.encode())
        pieces.write("fidelity.csv", lines.write_csv().encode())
        typer.echo(f"Written: {pieces.path / 'fidelity.txt'}, {pieces.path / 'fidelity.csv'}", err=True)
