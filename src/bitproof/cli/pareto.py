"""``bitproof pareto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed
from bitproof.cli.places import RunDir

if TYPE_CHECKING:
    from bitproof.analysis import Choice

NAME = "pareto"


def command(
    path: RunDir,
    max_ms: Annotated[float | None, typer.Option("--max-ms", help="Most ms of a picture, as simulated.")] = None,
    max_mb: Annotated[float | None, typer.Option("--max-mb", help="Most MB (10⁶ bytes) of weights.")] = None,
    min_clean: Annotated[float | None, typer.Option("--min-clean", help="Least accuracy on clean pictures, %.")] = None,
    min_worst: Annotated[
        float | None, typer.Option("--min-worst", help="Least accuracy under the worst noise, attacks apart, %.")
    ] = None,
    least: Annotated[
        list[str] | None, typer.Option("--min", help="FIGURE=VALUE: another figure's least value, or most where lower is better.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="The figure that decides: nr, system_mean, clean, worst, …")] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Recommend a recipe by robustness, accuracy, latency and size; exit code 1 where none meets the limits."""
    check_forms(as_csv, as_json)
    import polars as pl

    from bitproof import analysis, results
    from bitproof.cli.console import say_left_out

    wishes = analysis.Wishes(max_ms, max_mb, min_clean, min_worst, dict(map(_bound, least or ())), by)
    rows = results.load(path)
    say_left_out(rows, path)
    choices = analysis.pareto(rows, results.variants(path), wishes)
    if not printed(pl.concat([choice.candidates for choice in choices]) if choices else pl.DataFrame(), as_csv, as_json):
        for choice in choices:
            _print(choice)
        if not choices:
            typer.echo(f"{path} holds no clean or noisy cell that every recipe has finished, so there is nothing to choose from.")
    if not all("recommended" in choice.candidates["choice"] for choice in choices):
        raise typer.Exit(1)


def _bound(text: str) -> tuple[str, float]:
    figure, _, value = text.rpartition("=")
    try:
        return figure, float(value)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no FIGURE=VALUE, such as nr=50", param_hint="--min") from None


def _print(choice: Choice) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    titles = ("", "model", "recipe", choice.by, "clean", "worst noise", "ms, simulated", "MB", "dominated by", "does not meet")
    table = Table(*titles, title=escape(_place(choice)), title_justify="left", box=None, header_style="bold")
    for row in choice.candidates.iter_rows(named=True):
        table.add_row(*map(escape, _cells(row)))
    wide().print(table)
    for line in _said(choice):
        typer.echo(line)


def _place(choice: Choice) -> str:
    return choice.task if choice.defense == "none" else f"{choice.task} behind {choice.defense}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    worst = f"{row['worst_noise']}: {_interval(row, 'worst')}" if row["worst_noise"] else "–"
    value = _interval(row | {"value_low": row["low"], "value_high": row["high"]}, "value")
    verdict = f" {row['verdict']}" if row["verdict"] else ""
    costs = (_number(row["latency_ms"]), _number(row["size_mb"]))
    last = (row["dominated_by"] or "–", row["fails"] or "–")
    return (row["choice"] or "", row["model"], row["recipe"], value + verdict, _interval(row, "clean"), worst, *costs, *last)


def _interval(row: dict[str, Any], name: str) -> str:
    return "–" if row[name] is None else f"{row[name]:.1f} [{row[f'{name}_low']:.1f}, {row[f'{name}_high']:.1f}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _said(choice: Choice) -> list[str]:
    rows = {row["choice"]: row for row in choice.candidates.iter_rows(named=True) if row["choice"]}
    lines = []
    if choice.left_out:
        names = ", ".join(choice.left_out[:5]) + (", …" if len(choice.left_out) > 5 else "")
        lines.append(f"Not every candidate met {len(choice.left_out)} noises, which count in no figure here: {names}")
    if "recommended" not in rows:
        return [*lines, "No candidate meets the limits."]
    best = rows["recommended"]
    lines.append(f"Recommended: {best['model']} {best['recipe']}, the best {choice.by} of those that meet the limits.")
    if found := choice.difference:
        second = rows["runner-up"]
        span = f"{found['delta']:+.2f} [{found['delta_low']:.1f}, {found['delta_high']:.1f}]"
        clear = "" if found["delta_low"] > 0 or found["delta_high"] < 0 else "; the interval includes 0, so the two may be equal"
        lines.append(
            f"Runner-up: {second['model']} {second['recipe']}. Recommended minus runner-up: {span} in {choice.by} on the same "
            f"{found['pairs']} pictures{clear}. MB {_number(best['size_mb'])} and {_number(second['size_mb'])}."
        )
    return [
        *lines,
        "ms are of the simulation on the machine of the run: fake quantization costs time, so they tell nothing of int8 hardware.",
    ]
