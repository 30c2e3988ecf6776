"""``bitproof findings``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed
from bitproof.cli.places import RunDir

if TYPE_CHECKING:
    import polars as pl

NAME = "findings"


class What(StrEnum):
    """The tables of findings."""

    statements = "statements"
    comparisons = "comparisons"


def command(
    path: RunDir,
    what: Annotated[What, typer.Option("--what", help="One line a statement, or a comparison that it rests on.")] = What.statements,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Test what RobustMQ stated of low-bit networks on a run: supported, contradicted or undecided."""
    check_forms(as_csv, as_json)
    from bitproof import analysis, results

    statements, comparisons = analysis.findings(results.load(path))
    frame = statements if what is What.statements else comparisons
    if not printed(frame, as_csv, as_json):
        _print(frame, what)


def _print(frame: pl.DataFrame, what: What) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    read = _statement if what is What.statements else _comparison
    rows = [read(row) for row in frame.iter_rows(named=True)]
    table = Table(*(rows[0] if rows else ()), box=None, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    wide().print(table)
    if what is What.statements:
        typer.echo(
            "Effects in the statement's direction, points unless a unit stands there, with 95 % intervals over samples; p by sign "
            "flips, corrected together (Holm): the chance of any wrong word is at most 5 %. Checks and sources: --json."
        )


def _statement(row: dict[str, Any]) -> dict[str, str]:
    return {
        "id": row["id"],
        "statement": row["statement"],
        "status": row["status"],
        "effect": _interval(row) + ("" if row["effect"] is None or row["unit"] == "points" else f" {row['unit']}"),
        "agree": f"{row['agree']} of {row['comparisons']}" if row["comparisons"] else "–",
        "p for": _p(row["p_for"]),
        "p against": _p(row["p_against"]),
        "why": row["why"],
        "published": row["published"] or "–",
    }


def _comparison(row: dict[str, Any]) -> dict[str, str]:
    return {
        "id": row["id"],
        "model": row["model"],
        "comparison": row["comparison"],
        "effect": _interval(row),
        "n": str(row["n"]),
        "p": _p(row["p"]),
        "published": "–" if row["published"] is None else f"{row['published']:.1f}",
    }


def _interval(row: dict[str, Any]) -> str:
    return "–" if row["effect"] is None else f"{row['effect']:.2f} [{row['low']:.1f}, {row['high']:.1f}]"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
