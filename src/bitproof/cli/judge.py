"""``bitproof judge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.bench import Agreement

NAME = "judge"


def command(
    path: Annotated[Path, typer.Argument(help="A results directory with replies of chat models.")],
    model: Annotated[str, typer.Argument(help="The judge: chat:http://HOST:PORT/v1#MODEL. It is sent text alone.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many replies of the run it is asked about.")] = 200,
    draw: Annotated[int, typer.Option("--seed", help="Which replies they are.")] = 0,
) -> None:
    """Ask a chat model for a second opinion on replies, and tell how far it agrees with people and with the rules."""
    from bitproof.bench import judge
    from bitproof.cli.progress import Bar

    with Bar() as bar:
        found = judge(path, model, n, draw, bar)
    typer.echo(f"judge: {found.judge}")
    typer.echo(f"with a person's labels: {_line(found.labelled)}")
    typer.echo(f"with the rules:         {_line(found.rules)}")
    for row in found.apart[:10]:
        verdicts = f"rules {row['status']}, judge {row['judge']}"
        typer.echo(f"  {row['sample']}: {verdicts}; right {row['answer']!r}, reply {row['reply'][:80]!r}")
    typer.echo("No verdict of the run was changed. The report shows the agreement.")


def _line(found: Agreement) -> str:
    unread = f"; {found.unread} of its replies say nothing" if found.unread else ""
    return f"{found.value:.1f} % [{found.low:.1f}, {found.high:.1f}] of {found.n}, kappa {found.kappa:.2f}{unread}"
