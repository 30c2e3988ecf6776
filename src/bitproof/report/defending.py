"""What defenses gain, with their controls beside them: a part a task."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitproof.report.source import FAMILIES, Row, Run
from bitproof.report.tables import Cell, Column, Table, text
from bitproof.report.words import SIGNS, change, duration, interval, number

_HINTS = {
    "gain": "Points over no defense on the same pictures, with the 95 % interval",
    "gain_free": "The same where nobody knows the class: each is tried with its own patch, if any, and the likeliest is the answer",
    "over_random": "Points that the patch gains over a random pattern of the same place and energy",
    "wrong": "Accuracy, %, with the patch of another class on the picture",
    "pulled": "How often, %, the answer is then the class of the patch",
    "alone": "How often, %, the patch on grey, without a picture, is taken for its class",
}
_DIFFERENCES = {"gain": "Gain", "gain_free": "Gain, label-free", "over_random": "Over random"}


@dataclass(frozen=True)
class Defending:
    """One task as the page shows it."""

    title: str
    known: bool
    overview: Table
    transfer: Table
    every: Table
    fits: Table
    pictures: tuple[Row, ...]


def defending(run: Run) -> list[Defending]:
    """One part a task that has a defense."""
    tasks = list(dict.fromkeys(row["task"] for row in run.defended))
    return [_part(run, task, [row for row in run.defended if row["task"] == task]) for task in tasks]


def _part(run: Run, task: str, rows: list[Row]) -> Defending:
    overview = [row for row in rows if row["noise"] == "mean" or row["note"] or _alone(row, rows)]
    pictures = (entry for entry in run.gallery if entry["task"] == task and " behind " in entry["noise"])
    return Defending(
        title=task,
        known=any(row["label"] == "known" for row in rows),
        overview=_table(overview),
        transfer=_transfer(rows),
        every=_table(rows),
        fits=_fits([info for info in run.defenses.values() if info["task"] == task]),
        pictures=tuple(sorted(pictures, key=lambda entry: (entry["noise"], entry["sample"]))),
    )


def _alone(row: Row, rows: list[Row]) -> bool:
    """Whether a cell is the only one of its family, or an attack: those have no mean."""
    key = ("model", "recipe", "defense", "family")
    same = [other for other in rows if all(other[name] == row[name] for name in key)]
    return row["noise"] != "mean" and (len(same) == 1 or row["family"] == "adversarial")


def _table(rows: list[Row]) -> Table:
    columns = (
        *(Column("Defense", "Below it whether whoever applies it knows the class"), Column("Recipe"), Column("Noise")),
        *(Column("n", "Pictures", True), Column("Accuracy, %", "Behind no defense, and behind this one", True)),
        *(Column(title, _HINTS[name], True) for name, title in _DIFFERENCES.items()),
        Column("Wrong patch, %", f"{_HINTS['wrong']}. Below: {_HINTS['pulled'][0].lower()}{_HINTS['pulled'][1:]}", True),
        Column("Patch alone, %", _HINTS["alone"], True),
    )
    return Table(columns, tuple(map(_row, rows)), sortable=True)


def _row(row: Row) -> tuple[Cell, ...]:
    noise = f"{FAMILIES.get(row['family'], row['family'])}, mean" if row["noise"] == "mean" and row["family"] else row["noise"]
    pulled = "" if row["pulled"] is None else f"{number(row['pulled'])} % its class"
    return (
        text(row["defense"], f"label {row['label']}{'. ' + row['note'] if row['note'] else ''}"),
        text(row["recipe"], row["model"].partition(":")[0]),
        text(noise, f"audit: {row['verdict']}" if row["verdict"] else ""),
        Cell("–" if row["n"] is None else f"{row['n']:,}", sort=row["n"], numeric=True),
        Cell(f"{number(row['without'])} → {number(row['value'])}", sort=row["value"], numeric=True),
        *(_gain(row, name) for name in _DIFFERENCES),
        Cell(number(row["wrong"]), pulled, row["wrong"], numeric=True),
        Cell(number(row["alone"]), interval(row["alone_low"], row["alone_high"]), row["alone"], numeric=True),
    )


def _gain(row: Row, name: str) -> Cell:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    said = change(low, high)
    return Cell(
        f"{SIGNS[said]} {number(row[name], signed=True)}" if said else "–", interval(low, high, signed=True), row[name], said, True
    )


def _transfer(rows: list[Row]) -> Table:
    """Fitted on × applied to: the mean gain over natural noises, or on clean pictures where there are none; its controls below."""
    fitted = [row for row in rows if row["label"] == "known" and not row["note"]]
    natural = [row for row in fitted if (row["noise"], row["family"]) == ("mean", "natural")]
    shown = natural or [row for row in fitted if row["noise"] == "clean"]
    places = list(dict.fromkeys((row["model"], row["recipe"]) for row in shown))
    found = {(row["defense"], row["model"], row["recipe"]): row for row in shown}
    several = len({model for model, _ in places}) > 1
    titles = [f"{recipe} · {model.partition(':')[0]}" if several else recipe for model, recipe in places]
    columns = (
        Column("Fitted"),
        *(
            Column(title, f"applied to {recipe} of {model}: {_HINTS['gain']}", True)
            for title, (model, recipe) in zip(titles, places, strict=True)
        ),
    )
    lines = [
        (
            text(name, _fitted_on([row for row in shown if row["defense"] == name])),
            *(_beside(row) if (row := found.get((name, *place))) else Cell("–") for place in places),
        )
        for name in dict.fromkeys(row["defense"] for row in shown)
    ]
    return Table(columns, tuple(lines) if len(places) > 1 or len(lines) > 1 else ())


def _beside(row: Row) -> Cell:
    """A gain with its two controls in small print."""
    cell = _gain(row, "gain")
    controls = (
        f"{title} {number(row[name], signed=True)}" for name, title in (("over_random", "over random"), ("gain_free", "label-free"))
    )
    return replace(cell, note="; ".join((cell.note, *controls)))


def _fitted_on(rows: list[Row]) -> str:
    """The networks of a patch, or that there is one for each model, or each network, that it is applied to."""
    networks = {row["fitted_on"] for row in rows}
    each = "model" if len(networks) <= len({row["model"] for row in rows}) else "network"
    return f"on {networks.pop()}" if len(networks) == 1 else f"one for each {each}"


def _fits(found: list[Row]) -> Table:
    columns = (
        *(Column("Defense"), Column("Fitted on"), Column("Pictures"), Column("Classes", numeric=True)),
        *(Column("Of the picture, %", numeric=True), Column("Time", numeric=True)),
    )
    rows = [
        (
            text(info["defense"]),
            text("; ".join(f"{each['recipe']} of {each['model']}" for each in info["fitted_on"])),
            text(f"{info['pictures']['n']:,} of {info['pictures']['of']}" if info["pictures"]["n"] else "none"),
            Cell(str(len(info["labels"])), numeric=True),
            Cell(number(100 * info["area"]), numeric=True),
            Cell(duration(info["time_s"]), numeric=True),
        )
        for info in found
    ]
    return Table(columns, tuple(rows))
