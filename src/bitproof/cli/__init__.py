"""The command line: each verb parses, calls one function and prints."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bitproof.cli import (
    audit,
    bibench,
    check,
    classify,
    demo,
    diff,
    doctor,
    export,
    fidelity,
    findings,
    judge,
    leaderboard,
    listen,
    listing,
    new,
    pareto,
    patch,
    quantize,
    remeasure,
    report,
    results,
    run,
    schema,
    sensitivity,
)

app = typer.Typer(
    name="bitproof",
    help="What does a network still withstand after it was made low-bit?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
for module in (
    demo,
    run,
    results,
    report,
    audit,
    findings,
    pareto,
    bibench,
    leaderboard,
    diff,
    check,
    remeasure,
    judge,
    quantize,
    sensitivity,
    export,
    listen,
    classify,
    listing,
    fidelity,
    schema,
    new,
    doctor,
):
    app.command(module.NAME)(module.command)
app.add_typer(patch.app, name=patch.NAME)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        import bitproof

        typer.echo(bitproof.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; an error that the user can mend is one message and exit code 2."""
    from bitproof.core import BitproofError

    try:
        app()
    except BitproofError as error:
        typer.secho(f"bitproof: {error}", fg="red", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("bitproof: stopped. Run the same command again to go on.", fg="yellow", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output (head, less) has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
