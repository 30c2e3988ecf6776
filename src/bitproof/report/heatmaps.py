"""Corruption × recipe and resize × decoder, once as the drop from clean and once as its excess over the control's drop."""

from __future__ import annotations

from typing import Any

from bitproof.analysis import RESIZES
from bitproof.core import split
from bitproof.report.plots import GREY, Plot, axis
from bitproof.report.source import Row, Section
from bitproof.report.words import escaped, number

#: Blue (less than the control) over white to orange (more): readable in the common colour blindnesses.
DIVERGING = [[0.0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#fdb863"], [1.0, "#b35806"]]

#: A recipe, and what divides it: a severity or a decoder.
Column = tuple[str, int | str | None]


def heatmaps(section: Section) -> list[Plot]:
    """The two maps of the natural noises, or none where there are none."""
    return _maps(section, [cell for cell in section.of("natural") if cell["drop"] is not None])


def decoder_maps(section: Section) -> list[Plot]:
    """Resize × decoder, where a run has pairs of them: a row a resize, a column a decoder under each recipe."""
    cells = [placed for cell in section.of("clean", "system") if (placed := _paired(cell)) is not None]
    pairs = {cell["name"] for cell in cells if "clean" not in (cell["name"], cell["severity"])}
    return _maps(section, [cell for cell in cells if cell["name"] in {"clean", *pairs}]) if pairs else []


def _paired(cell: Row) -> Row | None:
    """A cell with its resize as name and its decoder as severity, ``clean`` where the clean one stands; None for another noise."""
    place = {"name": "clean", "severity": "clean"}
    for part in split(cell["noise"], "+") if cell["family"] == "system" else ():
        key = "severity" if part.startswith("decode-") else "name" if part.startswith(RESIZES) else None
        if key is None:
            return None
        place[key] = part.removeprefix("decode-")
    drop = 0.0 if cell["family"] == "clean" else cell["drop"]
    return None if drop is None else {**cell, **place, "drop": drop}


def _maps(section: Section, cells: list[Row]) -> list[Plot]:
    if not cells:
        return []
    found = [_drop(section, cells)]
    others = [cell for cell in cells if cell["recipe"] != section.control and cell["excess"] is not None]
    return [*found, _excess(section, others)] if others else found


def _drop(section: Section, cells: list[Row]) -> Plot:
    caption = "Points of accuracy lost against clean, on the same samples."
    reach = max(5.0, *(cell["drop"] for cell in cells))
    return _map(section, cells, "drop", "Drop", caption, {"colorscale": "Cividis", "reversescale": True, "zmin": 0, "zmax": reach})


def _excess(section: Section, cells: list[Row]) -> Plot:
    reach = max(1.0, *(abs(cell["excess"]) for cell in cells))
    caption = f"Points lost beyond what {section.control} loses under the same noise. Bold: the 95 % interval excludes 0."
    return _map(section, cells, "excess", "Excess drop", caption, {"colorscale": DIVERGING, "zmin": -reach, "zmax": reach})


def _map(section: Section, cells: list[Row], value: str, title: str, caption: str, scale: dict[str, Any]) -> Plot:
    names = list(dict.fromkeys(cell["name"] for cell in cells))[::-1]
    columns = _columns(section, cells)
    several = len({severity for _, severity in columns}) > 1
    by_place = {(cell["name"], (cell["recipe"], cell["severity"])): cell for cell in cells if cell[value] is not None}
    grid = [[by_place.get((name, column)) for column in columns] for name in names]
    trace = {
        "type": "heatmap",
        "x": list(range(len(columns))),
        "y": list(range(len(names))),
        "z": [[cell and cell[value] for cell in line] for line in grid],
        "text": [[_text(cell, value) for cell in line] for line in grid],
        "customdata": [[_hover(cell) for cell in line] for line in grid],
        "texttemplate": "%{text}",
        "textfont": {"size": 11},
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": "points"}, "thickness": 10, "outlinewidth": 0},
        **scale,
    }
    layout = {
        **(_groups(columns) if several else {}),
        "xaxis": axis("", showgrid=False, side="top", **_column_ticks(columns, several)),
        "yaxis": axis("", showgrid=False, tickvals=trace["y"], ticktext=[escaped(name) for name in names]),
    }
    return Plot(
        title,
        caption,
        {"data": [trace], "layout": layout},
        (180 if _in_words(columns) else 130) + 28 * len(names),
        240 + (36 if several else 60) * len(columns),
    )


def _columns(section: Section, cells: list[Row]) -> list[Column]:
    present = {(cell["recipe"], cell["severity"]) for cell in cells}
    order = {recipe: i for i, recipe in enumerate(section.recipes)}
    return sorted(present, key=lambda column: (order[column[0]], column[1] != "clean", column[1] or 0))


def _column_ticks(columns: list[Column], several: bool) -> Row:
    """The recipe of each column, or what divides it where the recipes stand above."""
    labels = [escaped(str(part or "–")) if several else escaped(recipe) for recipe, part in columns]
    angle = -90 if _in_words(columns) else 0 if several or len(columns) < 6 else -45
    return {"tickvals": list(range(len(columns))), "ticktext": labels, "tickangle": angle}


def _in_words(columns: list[Column]) -> bool:
    return any(isinstance(part, str) for _, part in columns)


def _groups(columns: list[Column]) -> Row:
    """Each recipe's name above its severities or decoders, and a line between recipes."""
    room = 70 if _in_words(columns) else 26
    places: dict[str, list[int]] = {}
    for place, (recipe, _) in enumerate(columns):
        places.setdefault(recipe, []).append(place)
    label = {"yref": "paper", "y": 1, "yshift": room, "yanchor": "bottom", "showarrow": False}
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"color": GREY, "width": 3}}
    names = [{**label, "x": (own[0] + own[-1]) / 2, "text": escaped(recipe)} for recipe, own in places.items()]
    edges = [own[0] - 0.5 for own in list(places.values())[1:]]
    return {
        "annotations": names,
        "shapes": [{**line, "x0": edge, "x1": edge} for edge in edges],
        "margin": {"l": 12, "r": 12, "t": room + 34, "b": 12},
    }


def _text(cell: Row | None, value: str) -> str:
    if cell is None:
        return ""
    shown = number(cell[value])
    low, high = cell["excess_low"], cell["excess_high"]
    proven = value == "excess" and low is not None and high is not None and not low <= 0 <= high
    return f"<b>{shown}</b>" if proven else shown


def _hover(cell: Row | None) -> str:
    if cell is None:
        return ""
    lines = [f"{escaped(cell['noise'])} · {escaped(cell['recipe'])}", f"drop {number(cell['drop'])} points"]
    if cell["excess_low"] is not None:
        span = f"[{number(cell['excess_low'])}, {number(cell['excess_high'])}]"
        lines.append(f"excess {number(cell['excess'])} {span} points")
    return "<br>".join([*lines, f"n = {cell['n']:,}"])
