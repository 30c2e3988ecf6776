"""``bitproof bibench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitproof.cli.forms import AsCsv, AsJson, check_forms, printed
from bitproof.core import SpecError

if TYPE_CHECKING:
    import polars as pl

NAME = "bibench"


def command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Results directories, read as one; also what 'bitproof quantize --evaluate … -o DIR' wrote of a detector."
        ),
    ],
    family: Annotated[
        list[str] | None, typer.Option("--family", help="MODEL=cnn|transformer|mlp, where the model's name does not tell.")
    ] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate binarized recipes on BiBench's six tracks: overall metrics, and what a run lacks for them."""
    check_forms(as_csv, as_json)
    import polars as pl

    from bitproof import analysis, results

    detectors = [path for path in paths if results.is_precision(path)]
    runs = [path for path in paths if path not in detectors]
    if not runs:
        raise SpecError(f"{detectors[0]} holds a detector alone. Name a run beside it: bitproof bibench RUN {detectors[0]}")
    rows, variants = (pl.concat(map(read, runs)) for read in (results.load, results.variants))
    precisions = pl.concat(map(results.precision, detectors)) if detectors else None
    frame = analysis.bibench(rows, variants, dict(map(_family, family or ())), precisions)
    if not printed(frame, as_csv, as_json):
        _print(frame)


def _family(text: str) -> tuple[str, str]:
    model, _, kind = text.rpartition("=")
    if not model:
        raise typer.BadParameter(f"{text!r} is no MODEL=FAMILY, such as mynet=cnn", param_hint="--family")
    return model, kind


def _print(frame: pl.DataFrame) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    for part in frame.partition_by("recipe", maintain_order=True):
        rows = [_shown(row) for row in part.iter_rows(named=True)]
        table = Table(*rows[0], title=escape(part["recipe"][0]), title_justify="left", box=None, header_style="bold")
        for row in rows:
            table.add_row(*map(escape, row.values()))
        wide().print(table)
    _print_orders(frame)
    typer.echo(
        "Ratios to the float control: 1 = as it, more is better; 95 % intervals over samples where a track is made of samples. A "
        "part is no overall metric of BiBench. Radar: read off the published figure (± 0.03 of the disc, its scale unknown), so "
        "compare orders of methods, never values: readings within 0.06 are ties. A network at chance has no gap to lose: read "
        "robustness beside task. "
        f"Formulas: --json. Source: {frame['source'][0]}."
    )


def _print_orders(frame: pl.DataFrame) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    found = frame.drop_nulls("order").unique(["track", "order"], keep="first", maintain_order=True)
    if found.is_empty():
        return
    heads = ("track", "order here, best first", "pairs in the published order", "Kendall's tau-b")
    table = Table(*heads, title="Beside the published order", title_justify="left", box=None, header_style="bold")
    for row in found.iter_rows(named=True):
        tau = "–" if row["tau_b"] is None else f"{row['tau_b']:.2f}"
        pairs = f"{row['pairs_agree']} of {row['pairs_apart']} that the figure tells apart"
        table.add_row(row["track"], escape(row["order"]), pairs, tau)
    wide().print(table)


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {
        "track": row["track"],
        "status": row["status"],
        "value": _value(row),
        "n": "–" if row["n"] is None else str(row["n"]),
        "rank": "–" if row["rank"] is None else f"{row['rank']} of {row['ranked']}",
        "radar": "–" if row["radar"] is None else f"{row['radar']:.2f}",
        "its rank": "–" if row["radar_rank"] is None else str(row["radar_rank"]),
        "computed from": row["computed_from"] or "–",
        "lacks": row["lacks"] or "–",
    }


def _value(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "–"
    bounds = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}{bounds}"
