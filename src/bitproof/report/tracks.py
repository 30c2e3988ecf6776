"""BiBench's six tracks of each binarized recipe: a radar, and the table behind it."""

from __future__ import annotations

from dataclasses import dataclass

from bitproof.report.plots import GREY, PALETTE, Plot
from bitproof.report.source import Row, Run
from bitproof.report.tables import Cell, Column, Table, text

_COLUMNS = (
    Column("Track"),
    Column("Value", "A ratio to the float control: 1 = as it, more is better; 95 % interval over samples where there is one", True),
    Column("Computed from"),
    Column("Lacks", "Why it is no overall metric of BiBench, and what to run"),
    Column(
        "Published", "Read off the published figure, ± 0.03 of the disc, its scale unknown: for the order of methods alone", True
    ),
    Column(
        "Rank here; published", "Of the methods of the figure on the same tasks and models; readings within 0.06 are ties", True
    ),
)

_ORDERS = (
    Column("Track"),
    Column(
        "Order here, best first",
        "Of the figure's methods on the same tasks and models; where intervals overlap the order may be chance",
    ),
    Column("Pairs in its order", "Of the pairs that the figure tells apart: readings that differ by more than 0.06", True),
    Column("τ_b", "Kendall's rank correlation; – where the figure tells no pair apart, or this run none", True),
)


@dataclass(frozen=True)
class Tracks:
    """One recipe as the page shows it."""

    recipe: str
    plots: list[Plot]
    table: Table


def tracks(run: Run) -> list[Tracks]:
    """One part a binarized recipe."""
    best: dict[str, float] = {}
    for row in run.tracks:
        best[row["track"]] = max(best.get(row["track"], 0.0), row["value"] or 0.0)
    parts: dict[str, list[Row]] = {}
    for row in run.tracks:
        parts.setdefault(row["recipe"], []).append(row)
    return [
        Tracks(recipe, [_radar(rows, best)], Table(_COLUMNS, tuple(_line(row) for row in rows))) for recipe, rows in parts.items()
    ]


def orders(run: Run) -> Table:
    """How the methods of each track are ordered here, and how far that is the published order; without rows where none can be."""
    found = {(row["track"], row["order"]): row for row in run.tracks if row["order"] is not None}
    return Table(_ORDERS, tuple(_order(row) for row in found.values()))


def _order(row: Row) -> tuple[Cell, ...]:
    tau = Cell("–" if row["tau_b"] is None else f"{row['tau_b']:.2f}".replace("-", "−"), sort=row["tau_b"], numeric=True)
    agree = Cell(f"{row['pairs_agree']} of {row['pairs_apart']}", sort=row["pairs_agree"], numeric=True)
    return text(row["track"]), text(row["order"]), agree, tau


def _radar(rows: list[Row], best: dict[str, float]) -> Plot:
    """Each axis ends at the best recipe of the run, since ratios of time and of accuracy have no common scale."""
    shares = [(row["value"] or 0.0) / (best[row["track"]] or 1.0) for row in rows]
    data = [_trace("this run", rows, shares, {"color": PALETTE[0]}, [_said(row) for row in rows])]
    published = [row["radar"] for row in rows]
    if None not in published:
        said = [f"{row['track']}: {row['radar']:.2f} of the disc" for row in rows]
        data.append(_trace("published", rows, published, {"color": GREY, "dash": "dash"}, said))
    layout = {
        "polar": {"bgcolor": "rgba(0,0,0,0)", "radialaxis": {"range": [0, 1], "showticklabels": False, "gridcolor": GREY}},
        "margin": {"l": 60, "r": 60, "t": 24, "b": 24},
        "showlegend": len(data) > 1,
    }
    caption = "Each axis ends at the best recipe of this run; a track without a value is at the centre."
    return Plot(f"{rows[0]['recipe']}: six tracks", caption, {"data": data, "layout": layout}, 340)


def _trace(name: str, rows: list[Row], r: list[float], line: Row, said: list[str]) -> Row:
    theta = [row["track"] for row in rows]
    return {
        "type": "scatterpolar",
        "mode": "lines+markers",
        "name": name,
        "r": [*r, r[0]],
        "theta": [*theta, theta[0]],
        "text": [*said, said[0]],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"width": 2, **line},
        "marker": {"size": 6, "color": line["color"]},
    }


def _said(row: Row) -> str:
    return f"{row['track']}: {'missing' if row['value'] is None else _value(row)}"


def _value(row: Row) -> str:
    span = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}{span}"


def _line(row: Row) -> tuple[Cell, ...]:
    value = (
        Cell("–", row["status"], None, "", True)
        if row["value"] is None
        else Cell(_value(row), row["status"], row["value"], "", True)
    )
    published = Cell("–" if row["radar"] is None else f"{row['radar']:.2f}", sort=row["radar"], numeric=True)
    ranked = "–" if row["rank"] is None else f"{row['rank']}; {row['radar_rank']} of {row['ranked']}"
    rank = Cell(ranked, sort=row["rank"], numeric=True)
    return text(row["track"]), value, text(row["computed_from"] or "–"), text(row["lacks"] or "–"), published, rank
