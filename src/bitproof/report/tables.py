"""Tables of a page as plain data: the template draws them all alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bitproof.analysis import FIGURES, Figure
from bitproof.report.source import FAILURE, FAMILIES, Row, Run, Section
from bitproof.report.words import SIGNS, bits_label, budget, change, interval, number, p_value, size

#: The titles of the deciding figures where there is little room, and the figures of the calibration table.
SHORT = {
    "clean": "Clean",
    "nr": "Natural",
    "system_mean": "System, mean",
    "system_worst": "System, worst",
    "robust_worst": "Adversarial",
}
WORST = "Adversarial, worst"
CALIBRATION = (
    "ece",
    "ece_natural",
    "ece_system",
    "confidence",
    "confidence_natural",
    "confidence_system",
    "churn_natural",
    "churn_system",
)


@dataclass(frozen=True)
class Cell:
    """One field: its text, a second line, what it sorts by, the change that it shows, and where it leads."""

    text: str
    note: str = ""
    sort: float | str | None = None
    change: str = ""
    numeric: bool = False
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A heading with its explanation."""

    title: str
    hint: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and rows; ``marked`` rows are the control's."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = field(default_factory=frozenset)
    sortable: bool = False


def described(name: str) -> Figure:
    """How a figure is read: ``robust_worst:linf,eps=2/255`` is described by the name before the colon."""
    return FIGURES[name.partition(":")[0]]


def titled(name: str) -> str:
    """A figure's title, with the attack or budget that it is about."""
    title, detail = described(name).title, name.partition(":")[2]
    return f"{title} ({detail})" if detail else title


def short(name: str) -> str:
    """A title that fits a column: ``robust_worst:linf,eps=2/255`` → ``Adversarial linf, ε = 2/255``."""
    kind, _, detail = name.partition(":")
    return f"{SHORT[kind]} {budget(detail)}" if detail else WORST if kind == "robust_worst" else SHORT[kind]


def text(value: object, note: str = "") -> Cell:
    """A field of words."""
    return Cell(str(value), note, str(value))


def figure(row: Row | None, *, better: str = "higher") -> Cell:
    """``value [low, high]`` above the difference from the control with its interval."""
    if row is None or row["value"] is None:
        return Cell("–", (row or {}).get("note") or "", numeric=True)
    value = f"{number(row['value'])} {interval(row['low'], row['high'])}".strip()
    said = change(row["delta_low"], row["delta_high"], better=better)
    return Cell(value, difference(row["delta"], row["delta_low"], row["delta_high"], said), row["value"], said, True)


def judged(row: Row | None, *, better: str = "higher") -> Cell:
    """The same, and the masking audit's verdict on a figure under attack."""
    cell = figure(row, better=better)
    verdict = (row or {}).get("verdict")
    return replace(cell, note=f"{cell.note} · {verdict}" if cell.note else verdict) if verdict else cell


def difference(value: float | None, low: float | None, high: float | None, said: str) -> str:
    """``▼ −3.2 [−5.0, −1.4]``, or nothing where there is no comparison."""
    return f"{SIGNS[said]} {number(value, signed=True)} {interval(low, high, signed=True)}" if said else ""


def amount(value: float | None) -> Cell:
    """A number alone."""
    return Cell(number(value), sort=value, numeric=True)


def headline(section: Section) -> Table:
    """One row a recipe, one column a figure that decides; from many bits to few."""
    names = section.deciding
    columns = [Column("Recipe"), Column("Bits"), Column("Size, KB", "Parameters at their bit-width, 1 KB = 1,000 bytes", True)]
    columns += [Column(short(name), f"{titled(name)}, %: {described(name).formula}", True) for name in names]
    rows = []
    for recipe in section.recipes:
        bytes_ = (section.made_as(recipe) or {}).get("size_bytes")
        first = [text(recipe, "control" if recipe == section.control else ""), text(bits_label(recipe))]
        figures = [judged(section.figure(recipe, name), better=described(name).better) for name in names]
        rows.append((*first, Cell(size(bytes_), sort=bytes_, numeric=True), *figures))
    return Table(tuple(columns), tuple(rows), _controls(section, section.recipes))


def _by_recipe(section: Section, names: Sequence[str], columns: Sequence[Column]) -> Table:
    """One row a recipe, one column a figure; no rows where there are no figures."""
    rows = [
        (text(recipe), *(figure(section.figure(recipe, name), better=described(name).better) for name in names))
        for recipe in section.recipes
    ]
    return Table((Column("Recipe"), *columns), tuple(rows) if names else (), _controls(section, section.recipes))


def settings(section: Section) -> Table:
    """One row a recipe: what system noise does over all its settings, the clean pipeline among them."""
    names = section.named("system_mean", "system_std", "system_worst", "churn_system")
    columns = [Column(described(name).title, described(name).formula, True) for name in names]
    return _by_recipe(section, names, columns)


def _controls(section: Section, recipes: Iterable[str]) -> frozenset[int]:
    return frozenset(i for i, recipe in enumerate(recipes) if recipe == section.control)


_DETAIL = (
    Column("Noise"),
    Column("Severity", numeric=True),
    Column("Recipe"),
    Column("n", "Pictures", True),
    Column("Accuracy, %", "With its 95 % interval, and the difference from the control on the same samples below", True),
    Column("Drop", "Points lost against clean on the same samples, with its 95 % interval", True),
    Column("Excess drop", "Points that the drop exceeds the control's drop by, with its 95 % interval", True),
    Column("Churn, %", "Predictions that differ from the same network's clean prediction", True),
    Column("ECE, %", "Expected calibration error, 15 bins", True),
    Column("McNemar p", "Exact test of the difference from the control; not corrected for the number of cells", True),
)


def details(section: Section) -> list[tuple[str, str, Table]]:
    """(family, title, every cell of it) for each family that has cells."""
    return [(family, FAMILIES[family], _details(section, family)) for family in section.families]


def _details(section: Section, family: str) -> Table:
    cells = section.of(family)
    order = {recipe: i for i, recipe in enumerate(section.recipes)}
    cells.sort(key=lambda cell: (cell["name"], cell["severity"] or 0, cell["noise"], order[cell["recipe"]]))
    controls = _controls(section, (cell["recipe"] for cell in cells))
    return Table(_DETAIL, tuple(_detail(cell) for cell in cells), controls, sortable=True)


def _detail(cell: Row) -> tuple[Cell, ...]:
    said = change(cell["excess_low"], cell["excess_high"], better="lower")
    excess = Cell(
        f"{number(cell['excess'])} {interval(cell['excess_low'], cell['excess_high'])}".strip(), "", cell["excess"], said, True
    )
    return (
        text(cell["noise"], f"gradient: {cell['gradient']}" if cell["gradient"] else ""),
        Cell(str(cell["severity"] or "–"), sort=cell["severity"], numeric=True),
        text(cell["recipe"]),
        Cell(f"{cell['n']:,}", sort=cell["n"], numeric=True),
        judged(cell),
        Cell(f"{number(cell['drop'])} {interval(cell['drop_low'], cell['drop_high'])}".strip(), sort=cell["drop"], numeric=True),
        excess,
        amount(cell["churn"]),
        amount(cell["ece"]),
        Cell(p_value(cell["mcnemar_p"]), sort=cell["mcnemar_p"], numeric=True),
    )


def every_figure(section: Section) -> Table:
    """Every figure of every recipe, the refused ones with the reason."""
    columns = (
        Column("Figure"),
        Column("Recipe"),
        Column("n", numeric=True),
        Column("Value", numeric=True),
        Column("Note"),
        Column("Formula and source"),
    )
    rows = []
    for (recipe, name), row in section.figures.items():
        said = described(name)
        cell = judged(row if row["value"] is not None else None, better=said.better)
        n = Cell("–" if row["n"] is None else f"{row['n']:,}", sort=row["n"], numeric=True)
        title = text(titled(name), said.unit)
        rows.append((title, text(recipe), n, cell, text(row["note"] or ""), text(said.formula, said.source)))
    controls = _controls(section, (recipe for recipe, _ in section.figures))
    return Table(columns, tuple(rows), controls, sortable=True)


def sequences(section: Section) -> Table:
    """The flip probability of every recipe, over all perturbation sequences and in each."""
    names = section.sequences
    columns = [Column(_sequence(name), described(name).formula, True) for name in names]
    return _by_recipe(section, names, columns)


def joined(section: Section) -> Table:
    """Predictions that a noise changes where it joins another one, of every recipe."""
    names = section.named("flips")
    against = {
        name: next(row["note"] for (_, key), row in section.figures.items() if key == name and row["note"]) for name in names
    }
    columns = [Column(f"{name.partition(':')[2]}, %", f"{against[name]}: {described(name).formula}", True) for name in names]
    return _by_recipe(section, names, columns)


def _sequence(name: str) -> str:
    """``flip:translate_p`` → ``translate_p``; the means by what they are called."""
    return name.partition(":")[2] or {"mfp": "mFP, %", "mfr_float": "of control, %"}[name]


def calibration(section: Section) -> Table:
    """ECE, confidence and churn of every recipe."""
    names = section.named(*CALIBRATION)
    columns = [Column(titled(name), described(name).formula, True) for name in names]
    return _by_recipe(section, names, columns)


def errors(run: Run) -> Table:
    """Each error once, with all that it stopped."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for failure in run.failures:
        found.setdefault((failure["task"], failure["model"], failure["error"]), []).append(failure)
    columns = (Column("Model"), Column("Recipes"), Column("Cells", numeric=True), Column("Error"))
    rows = []
    for (task, model, error), stopped in found.items():
        recipes = ", ".join(dict.fromkeys(failure["recipe"] for failure in stopped))
        cells = Cell(f"{len(stopped):,}", sort=len(stopped), numeric=True)
        rows.append((text(model, f"on {task}"), text(recipes), cells, text(error)))
    return Table(columns, tuple(rows))


def failures(run: Run) -> Table:
    """Every cell that ended in an error."""
    rows = tuple(tuple(text(failure[key]) for key in FAILURE) for failure in run.failures)
    return Table(tuple(Column(key.capitalize()) for key in FAILURE), rows, sortable=True)


def cell_ids(run: Run) -> Table:
    """The id of every cell and of the variant that it ran."""
    keys = ("task", "model", "recipe", "defense", "noise", "seed", "cell", "variant")
    rows = tuple(tuple(text(row[key]) for key in keys) for row in run.cell_ids)
    return Table(tuple(Column(key.capitalize()) for key in keys), rows, sortable=True)
