"""Plots as plain plotly dictionaries, drawn by the page's script. They show figures; they compute none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitproof.core import Spec, split
from bitproof.report.source import Row, Section
from bitproof.report.words import bits_label, bits_order, escaped, method

#: Paul Tol's "bright" qualitative scheme without its grey: distinct in the common colour blindnesses, on white and on dark.
PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")

#: Markers go with colours, so that a plot is readable without them.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")

GREY = "#8a9099"


@dataclass(frozen=True)
class Plot:
    """A plotly figure with its title and what a reader must know of it; sizes in px."""

    title: str
    caption: str
    figure: dict[str, Any]
    height: int
    width: int = 0


def points(name: str, along: Sequence[float], rows: Sequence[Row], place: int, *, across: str = "y", line: bool = False) -> Row:
    """A trace of figures with their intervals: values on the axis ``across``, positions ``along`` on the other one."""
    other = "x" if across == "y" else "y"
    return {
        "type": "scatter",
        "mode": "lines+markers" if line else "markers",
        "name": escaped(name),
        other: list(along),
        across: [row["value"] for row in rows],
        f"error_{across}": {
            "type": "data",
            "symmetric": False,
            "array": [_length(row["value"], row["high"]) for row in rows],
            "arrayminus": [_length(row["low"], row["value"]) for row in rows],
            "thickness": 1.4,
            "width": 3,
        },
        "marker": {"color": PALETTE[place % len(PALETTE)], "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8},
        "line": {"width": 1, "dash": "dot"},
        "text": [hover(row) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
    }


def hover(row: Row) -> str:
    """What a point says: recipe, noise, value with interval, n."""
    what = f"{escaped(row['recipe'])} · {escaped(row.get('noise', ''))}".rstrip(" ·")
    span = "" if row["low"] is None else f" [{row['low']:.1f}, {row['high']:.1f}]"
    verdict = f"<br>audit: {row['verdict']}" if row.get("verdict") else ""
    return f"{what}<br>{row['value']:.1f}{span}<br>n = {row['n']:,}{verdict}"


def _length(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else max(0.0, high - low)


def dodge(index: int, among: int, room: float) -> float:
    """Where the ``index``-th of ``among`` points stands around its place, inside ``room``."""
    return 0.0 if among < 2 else room * (index / (among - 1) - 0.5)


def axis(title: str, **more: Any) -> Row:
    """An axis with its title."""
    return {"title": {"text": title}, "automargin": True, "zeroline": False, **more}


def ticks(labels: Iterable[str]) -> Row:
    """Places 0, 1, 2, … with labels that stay text."""
    names = [escaped(label) for label in labels]
    room = 0.6 if len(names) > 2 else 1.0
    return {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names, "range": [-room, len(names) - 1 + room]}


def bits_plots(section: Section, figures: Sequence[tuple[str, str]]) -> list[Plot]:
    """One plot a figure (name, title): bits on the x-axis, a trace a method, the control's interval as a band."""
    return [_bits_plot(section, name, title) for name, title in figures]


def _bits_plot(section: Section, name: str, title: str) -> Plot:
    recipes = sorted((r for r in section.recipes if section.figure(r, name)), key=bits_order)
    labels = list(dict.fromkeys(map(bits_label, recipes)))
    methods = list(dict.fromkeys(map(method, section.recipes)))
    data = []
    for kind in dict.fromkeys(map(method, recipes)):
        mine = [recipe for recipe in recipes if method(recipe) == kind]
        along = [labels.index(bits_label(recipe)) + _offset(recipe, recipes) for recipe in mine]
        rows = [section.figures[recipe, name] for recipe in mine]
        data.append(points(kind, along, rows, methods.index(kind), line=True))
    layout = {
        "xaxis": axis("bits (w weights, a activations)", **ticks(labels)),
        "yaxis": axis("%", rangemode="normal"),
        "shapes": _band(section, name),
        "showlegend": len(data) > 1,
    }
    return Plot(title, "", {"data": data, "layout": layout}, 300)


def _offset(recipe: str, recipes: Sequence[str]) -> float:
    """Recipes that share bits stand side by side."""
    peers = [other for other in recipes if bits_label(other) == bits_label(recipe)]
    return dodge(peers.index(recipe), len(peers), 0.3)


def _band(section: Section, name: str) -> list[Row]:
    row = section.figure(section.control, name) if section.control else None
    if row is None or row["low"] is None:
        return []
    place = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "layer": "below"}
    band = {**place, "y0": row["low"], "y1": row["high"], "fillcolor": GREY, "opacity": 0.16, "line": {"width": 0}}
    line = {**place, "type": "line", "y0": row["value"], "y1": row["value"], "line": {"color": GREY, "width": 1, "dash": "dash"}}
    return [band, line]


def dot_plot(section: Section, *families: str) -> Plot:
    """Accuracy with its interval under every noise of ``families``, a colour a recipe."""
    cells = section.of(*families)
    noises = sorted({cell["noise"] for cell in cells}, reverse=True)
    room = min(0.7, 0.16 * (len(section.recipes) - 1))
    data = []
    for place, recipe in enumerate(section.recipes):
        mine = [cell for cell in cells if cell["recipe"] == recipe and cell["value"] is not None]
        along = [noises.index(cell["noise"]) - dodge(place, len(section.recipes), room) for cell in mine]
        data.append(points(recipe, along, mine, place, across="x"))
    layout = {"xaxis": axis("accuracy, %"), "yaxis": axis("", **ticks(noises)), "showlegend": len(data) > 1}
    height = 130 + len(noises) * max(30, 13 * len(section.recipes))
    caption = "Each point is one noise under one recipe; bars are 95 % intervals."
    return Plot("Accuracy under each noise", caption, {"data": data, "layout": layout}, height)


def attack_plots(section: Section) -> list[Plot]:
    """Accuracy against the budget, one plot a norm's worst case and one an attack, a colour a recipe.

    Attacks of one budget alone stand together in one plot, where there are several of them.
    """
    attacks: dict[str, list[tuple[float, str, Row]]] = {}
    for cell in section.of("adversarial"):
        if cell["value"] is not None:
            name, label = _attack(cell["noise"])
            attacks.setdefault(name, []).append((_amount(label), label, cell))
    ladders = {name: found for name, found in attacks.items() if len({label for _, label, _ in found}) > 1}
    singles = [cell for name, found in attacks.items() if name not in ladders for _, _, cell in found]
    if len(attacks) - len(ladders) < 2:
        ladders, singles = attacks, []
    plots = [_attack_plot(section, name, found) for name, found in [*_curves(section).items(), *ladders.items()]]
    return [*plots, dot_plot(replace(section, cells=tuple(singles)), "adversarial")] if singles else plots


def _curves(section: Section) -> dict[str, list[tuple[float, str, Row]]]:
    """Title → the worst case at each budget of a norm, with the clean accuracy at 0, where there are two budgets or more."""
    curves: dict[str, list[tuple[float, str, Row]]] = {}
    for (_, name), row in section.figures.items():
        norm, eps, label = name.removeprefix("robust_worst:").partition(",eps=")
        if name.startswith("robust_worst:") and eps and row["value"] is not None:
            curves.setdefault(f"{norm}, worst attack a sample", []).append((_amount(label), label, row))
    clean = [(0.0, "0", row) for (_, name), row in section.figures.items() if name == "clean" and row["value"] is not None]
    return {title: [*clean, *found] for title, found in curves.items() if len({label for _, label, _ in found}) > 1}


def _attack_plot(section: Section, name: str, found: list[tuple[float, str, Row]]) -> Plot:
    labels = list(dict.fromkeys(label for _, label, _ in sorted(found, key=lambda item: item[:2])))
    data = []
    for place, recipe in enumerate(section.recipes):
        mine = sorted(
            ((labels.index(label), cell) for _, label, cell in found if cell["recipe"] == recipe), key=lambda item: item[0]
        )
        along = [at + dodge(place, len(section.recipes), min(0.4, 0.06 * len(section.recipes))) for at, _ in mine]
        data.append(points(recipe, along, [cell for _, cell in mine], place, line=True))
    layout = {
        "xaxis": axis("budget ε (evenly spaced)", **ticks(labels)),
        "yaxis": axis("accuracy, %", rangemode="tozero"),
        "showlegend": len(data) > 1,
    }
    return Plot(name, "", {"data": data, "layout": layout}, 340)


def _attack(noise: str) -> tuple[str, str]:
    """(the noise without its budget, the budget as it was written): ``pgd-linf:eps=2/255,steps=5`` → its curve and place."""
    names, budget = [], "default"
    for part in split(noise, "+"):
        spec = Spec.parse(part)
        budget = spec.options.get("eps", budget)
        names.append(str(Spec(spec.name, tuple(item for item in spec.items if item[0] != "eps"))))
    return "+".join(names), budget


def _amount(budget: str) -> float:
    """``2/255`` as a number; a budget that is none comes first."""
    above, _, below = budget.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return -1.0


def confidence_plot(section: Section) -> Plot | None:
    """Mean confidence against accuracy, a point a cell: above the diagonal the network is surer than it is right."""
    cells = [cell for cell in section.cells if cell["confidence"] is not None and cell["value"] is not None]
    if not cells:
        return None
    data = []
    for place, recipe in enumerate(section.recipes):
        mine = [cell for cell in cells if cell["recipe"] == recipe]
        trace = points(
            recipe,
            [cell["value"] for cell in mine],
            [{**cell, "value": cell["confidence"], "low": None, "high": None} for cell in mine],
            place,
        )
        data.append({**trace, "text": [hover(cell) for cell in mine], "marker": {**trace["marker"], "opacity": 0.75}})
    diagonal = {"type": "line", "x0": 0, "y0": 0, "x1": 100, "y1": 100, "line": {"color": GREY, "width": 1, "dash": "dash"}}
    layout = {
        "xaxis": axis("accuracy, %", range=[-2, 102]),
        "yaxis": axis("mean confidence, %", range=[-2, 102]),
        "shapes": [diagonal],
        "showlegend": len(data) > 1,
    }
    caption = "A point is one noise. On the dashed line confidence equals accuracy; above it the network is surer than it is right."
    return Plot("Confidence against accuracy", caption, {"data": data, "layout": layout}, 400)
