"""The masking audit as a table: beside every figure under attack, whether it can be believed."""

from __future__ import annotations

from bitproof.report.source import Row, Section
from bitproof.report.tables import Cell, Column, Table, text
from bitproof.report.words import budget, interval, number

_COLUMNS = (
    Column("Recipe"),
    Column("Budget"),
    Column("Verdict", "masked: a check failed; undecided: one is missing; holds: all were passed"),
    Column("n", "Pictures", True),
    Column("STE-PGD, %", "Accuracy under PGD through the straight-through estimator", True),
    Column("Worst case, %", "A sample counts if it stands under every attack and gradient mode that ran", True),
    Column("Gap", "STE-PGD minus worst case, points; below it the excess over the control's own gap", True),
    Column(
        "Zero gradients, %", "Clean samples, right ones, whose gradient is zero: through the estimator, and exactly below it", True
    ),
    Column("Margin", "Median logit margin in nats; below it the share that silences the cross-entropy in float32", True),
    Column("Cosine", "Of the input gradient with the control's", True),
)


def audits(section: Section) -> Table:
    """One row a recipe and budget, in the order of the recipes."""
    order = {recipe: i for i, recipe in enumerate(section.recipes)}
    rows = sorted(section.audit, key=lambda row: order.get(row["recipe"], len(order)))
    marked = frozenset(i for i, row in enumerate(rows) if row["recipe"] == section.control)
    return Table(_COLUMNS, tuple(_row(row) for row in rows), marked)


def reasons(section: Section) -> list[Row]:
    """What made each verdict, and what to run for an open one, in the order of the table; equal ones of a recipe stand once."""
    order = {recipe: i for i, recipe in enumerate(section.recipes)}
    told: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(section.audit, key=lambda row: order.get(row["recipe"], len(order))):
        told.setdefault((row["recipe"], row["verdict"], row["why"]), []).append(row)
    return [
        {
            "recipe": recipe,
            "verdict": verdict,
            "why": why,
            "budgets": "; ".join(budget(f"{row['norm']},eps={row['eps']}") for row in rows),
            "next": ", ".join(dict.fromkeys(row["next"] for row in rows if row["next"])),
        }
        for (recipe, verdict, why), rows in told.items()
    ]


def _row(row: Row) -> tuple[Cell, ...]:
    return (
        text(row["recipe"]),
        text(budget(f"{row['norm']},eps={row['eps']}")),
        text(row["verdict"]),
        Cell(f"{row['n']:,}", sort=row["n"], numeric=True),
        _number(row["ste"]),
        Cell(
            f"{number(row['worst'])} {interval(row['worst_low'], row['worst_high'])}",
            f"{row['attacks']} attacks",
            row["worst"],
            "",
            True,
        ),
        Cell(_spread(row, "gap"), _excess(row), row["gap"], "", True),
        _number(row["zero_ste"], "" if row["zero_exact"] is None else f"exact: {number(row['zero_exact'])}"),
        _number(row["margin"], "" if row["saturated"] is None else f"saturated: {number(row['saturated'])} %"),
        Cell("–" if row["cosine"] is None else f"{row['cosine']:.2f}", sort=row["cosine"], numeric=True),
    )


def _number(value: float | None, note: str = "") -> Cell:
    return Cell(number(value), note, value, "", True)


def _spread(row: Row, name: str) -> str:
    return f"{number(row[name])} {interval(row[f'{name}_low'], row[f'{name}_high'])}".strip()


def _excess(row: Row) -> str:
    return "" if row["excess"] is None else f"excess {_spread(row, 'excess')}"
