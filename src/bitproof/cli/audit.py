"""``bitproof audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed

if TYPE_CHECKING:
    import polars as pl

NAME = "audit"


def command(
    path: Annotated[Path, typer.Argument(help="A results directory to judge, or a grid to run with all that a verdict needs.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results directory of the grid.")] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Say whether figures under attack hold, are masked, or undecided; why; and what to run next."""
    check_forms(as_csv, as_json)
    if path.is_file():
        path = _run(path, out)
    elif not path.exists():
        raise typer.BadParameter(f"there is no {str(path)!r}; type a results directory, or a grid file with -o DIR")
    elif out is not None:
        raise typer.BadParameter("a finished run is judged where it is; -o belongs to a grid", param_hint="-o")
    from bitproof import analysis, results

    frame = analysis.audit(results.load(path))
    if printed(frame, as_csv, as_json):
        return
    if frame.is_empty():
        typer.echo(f"{path} holds no attack with a budget. 'bitproof audit GRID -o DIR' runs the attacks that a verdict needs.")
    else:
        _print(frame)


def _run(grid: Path, out: Path | None) -> Path:
    if out is None:
        raise typer.BadParameter("where to? Type -o DIR", param_hint="-o")
    from bitproof.bench import audited, run
    from bitproof.cli.progress import Bar
    from bitproof.cli.run import finish

    with Bar() as bar:
        outcome = run(audited(grid), out, bar)
    finish(outcome, out)
    return out


def _print(frame: pl.DataFrame) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import placed, wide

    console = wide()
    titles = ("recipe", "budget", "verdict", "n", "STE-PGD", "worst case", "gap", "excess gap", "why")
    for part in frame.partition_by(["task", "model", "defense"], maintain_order=True):
        title = placed(part.row(0, named=True))
        table = Table(*titles, title=escape(title), title_justify="left", box=None, header_style="bold")
        for row in part.iter_rows(named=True):
            budget = f"{row['norm']} {row['eps']}"
            spreads = (_spread(row, name) for name in ("worst", "gap", "excess"))
            ste = "–" if row["ste"] is None else f"{row['ste']:.1f}"
            table.add_row(*map(escape, (row["recipe"], budget, row["verdict"], str(row["n"]), ste, *spreads, row["why"])))
        console.print(table)
    wanted = [spec for text in frame["next"].unique(maintain_order=True) if text for spec in text.split(", ")]
    if wanted:
        typer.echo(f"Run next, as noises of the grid: [{', '.join(dict.fromkeys(wanted))}]")


def _spread(row: dict[str, float | None], name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "–" if value is None else f"{value:.1f} [{low:.1f}, {high:.1f}]"
