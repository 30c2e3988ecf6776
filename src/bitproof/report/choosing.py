"""Which recipe to take: robustness against size, latency and clean accuracy, and the table of all candidates."""

from __future__ import annotations

from dataclasses import dataclass

from bitproof.analysis import Choice
from bitproof.report.plots import Plot, axis, points
from bitproof.report.source import Row, Run
from bitproof.report.tables import Cell, Column, Table, text, titled
from bitproof.report.words import interval, number

#: What a plot has on its x-axis: column → title, and whether the axis is logarithmic.
_AXES = {
    "size_mb": ("size, MB (logarithmic)", True),
    "latency_ms": ("latency as simulated, ms (logarithmic)", True),
    "clean": ("clean accuracy, %", False),
}


@dataclass(frozen=True)
class Choosing:
    """One task as the page shows it."""

    title: str
    best: str
    left_out: str
    plots: list[Plot]
    table: Table


def choosing(run: Run) -> list[Choosing]:
    """One part a task that has two candidates or more."""
    return [_part(choice, _places(run, choice)) for choice in run.choices if choice.candidates.height > 1]


def _places(run: Run, choice: Choice) -> dict[tuple[str, str], int]:
    """(model, recipe) → place among the colours, as in the sections above."""
    mine = [section for section in run.sections if (section.task, section.defense) == (choice.task, choice.defense)]
    return {key: place for place, key in enumerate((each.model, recipe) for each in mine for recipe in each.recipes)}


def _part(choice: Choice, places: dict[tuple[str, str], int]) -> Choosing:
    rows = choice.candidates.to_dicts()
    several = len({row["model"] for row in rows}) > 1
    names = [f"{row['recipe']} · {row['model']}" if several else row["recipe"] for row in rows]
    return Choosing(
        title=choice.task if choice.defense == "none" else f"{choice.task} behind {choice.defense}",
        best=_best(choice, dict(zip([row["choice"] for row in rows], names, strict=True))),
        left_out=", ".join(choice.left_out),
        plots=[_plot(choice, rows, names, places, column) for column in _AXES if any(row[column] is not None for row in rows)],
        table=_table(choice, rows, names),
    )


def _best(choice: Choice, names: dict[str | None, str]) -> str:
    """The two best by the deciding figure, and their paired difference."""
    said = f"{titled(choice.by)} is highest for {names['recommended']}"
    if not choice.difference:
        return f"{said}."
    found = choice.difference
    span = f"{number(found['delta'], signed=True)} points {interval(found['delta_low'], found['delta_high'], signed=True)}"
    unclear = "" if found["delta_low"] > 0 or found["delta_high"] < 0 else ", which includes 0: the two may be equal"
    return f"{said}, {span} above {names['runner-up']} on the same {found['pairs']:,} samples{unclear}."


def _plot(choice: Choice, rows: list[Row], names: list[str], places: dict[tuple[str, str], int], column: str) -> Plot:
    title, logarithmic = _AXES[column]
    data = []
    for row, name in zip(rows, names, strict=True):
        if row[column] is None or row["value"] is None:
            continue
        said = {**row, "noise": f"{row[column]:.3g} {title.partition(',')[2].strip()}"}
        trace = points(name, [row[column]], [said], places[row["model"], row["recipe"]])
        dominated = row["dominated_by"] is not None
        data.append({**trace, "marker": {**trace["marker"], "size": 10, "opacity": 0.35 if dominated else 1.0}})
    layout = {
        "xaxis": axis(title, **({"type": "log"} if logarithmic else {})),
        "yaxis": axis(f"{titled(choice.by)}, %"),
        "showlegend": True,
    }
    return Plot(f"Against {title.partition(',')[0].partition(' as')[0]}", "", {"data": data, "layout": layout}, 340)


def _table(choice: Choice, rows: list[Row], names: list[str]) -> Table:
    columns = (
        Column("Recipe"),
        Column(f"{titled(choice.by)}, %", "The figure that decides here; 'bitproof pareto --by' takes another", True),
        Column("Clean, %", "", True),
        Column("Worst noise, %", "The lowest accuracy under natural and system noises", True),
        Column("Size, MB", "10⁶ bytes of parameters at their bit-width", True),
        Column("Latency, ms", "Of the simulation: fake quantization costs time, this is not int8 hardware", True),
        Column("Dominated by", "As good or better in all of: deciding figure, clean accuracy, size, latency"),
    )
    several = len({row["model"] for row in rows}) > 1
    return Table(columns, tuple(_row(row, name, several) for row, name in zip(rows, names, strict=True)), sortable=True)


def _row(row: Row, name: str, several: bool) -> tuple[Cell, ...]:
    dominated = row["dominated_by"] or "–"
    worst = Cell(
        f"{number(row['worst'])} {interval(row['worst_low'], row['worst_high'])}", row["worst_noise"] or "", row["worst"], "", True
    )
    return (
        text(name),
        Cell(f"{number(row['value'])} {interval(row['low'], row['high'])}", row["verdict"] or "", row["value"], "", True),
        Cell(f"{number(row['clean'])} {interval(row['clean_low'], row['clean_high'])}", sort=row["clean"], numeric=True),
        worst,
        *(Cell("–" if row[key] is None else f"{row[key]:.3g}", sort=row[key], numeric=True) for key in ("size_mb", "latency_ms")),
        text(dominated if several else dominated.rpartition(" ")[2]),
    )
