"""``bitproof run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.bench import Outcome

NAME = "run"


def command(
    grid: Annotated[Path, typer.Argument(help="The grid file (YAML).")],
    out: Annotated[
        str | None, typer.Option("-o", "--out", help="Results directory, or its URL (s3://…); an earlier run in it is finished.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List trainings and cells, predict time, GPU-hours and disk, run nothing.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where networks are run: auto (a GPU if there is one), cpu, cuda:1, …")] = "auto",
    executor: Annotated[
        str, typer.Option(help="Who computes: local, or ray, a Ray cluster (ray:gpus=0.5: half a GPU a task).")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="With --executor ray: HOST:PORT of a cluster; without, this machine becomes one.")
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(help="Log figures of finished cells: mlflow, wandb, tensorboard, mlflow:uri=URI; repeatable."),
    ] = None,
) -> None:
    """Run a grid: make the variants, put each through every noise, keep one row a sample."""
    if dry_run:
        from bitproof.cli.predicted import print_prediction

        print_prediction(grid, device)
        return
    if out is None:
        raise typer.BadParameter("where to? Type -o DIR", param_hint="-o")
    from bitproof.bench import helps, run
    from bitproof.cli.progress import Bar

    if helps():
        run(grid, out, device=device, executor=_at(executor, address))
        return
    with Bar() as bar:
        outcome = run(grid, out, bar, device=device, executor=_at(executor, address), track=track or ())
    finish(outcome, out)


def _at(executor: str, address: str | None) -> str:
    if address is None:
        return executor
    if executor.partition(":")[0] != "ray":
        raise typer.BadParameter(f"an address is for --executor ray, found --executor {executor}", param_hint="--address")
    return f"{executor}{',' if ':' in executor else ':'}address={address}"


def finish(outcome: Outcome, out: Path | str) -> None:
    """Say what happened; exit with 1 when a cell failed."""
    if outcome.times:
        from bitproof.cli.times import print_times

        print_times(outcome.times)
    typer.echo(f"{outcome.cells} cells: {outcome.already} were done before, {outcome.failed} failed. Rows in {out}.")
    if outcome.failed:
        typer.secho(f"The errors are in {out}/failures and in the report.", fg="red", err=True)
        raise typer.Exit(1)
    typer.echo(f"Next: bitproof results {out}   or: bitproof report {out}")
