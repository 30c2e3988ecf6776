"""The table of ``bitproof fidelity`` as plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

Row = dict[str, Any]

#: The level of the tests in the summary, after Holm.
LEVEL = 0.05


def fidelity_text(lines: pl.DataFrame, notes: dict[tuple[str, str], str]) -> str:
    """Return ``analysis.fidelity_lines`` as tables, one a reference and kind, with what is known of it and what was found.

    ``notes``: what is known of a reference's deviations, by (corruption, reference).
    """
    return "\n".join(_blocks(lines, notes)) + "\n"


def _blocks(lines: pl.DataFrame, notes: dict[tuple[str, str], str]) -> Iterator[str]:
    for (reference, random), part in lines.group_by("reference", "random", maintain_order=True):
        rows = part.to_dicts()
        yield f"{'With' if random else 'Without'} chance, against {reference}, {rows[0]['n']} pictures"
        yield from _table(RANDOM if random else FIXED, rows)
        told = {row["name"]: notes[row["name"], reference] for row in rows if (row["name"], reference) in notes}
        yield from (f"  {name}: {note}" for name, note in told.items())
        yield from _summary(rows, bool(random))
        yield ""
    yield from LEGEND


def _table(columns: dict[str, Callable[[Row], str]], rows: list[Row]) -> Iterator[str]:
    cells = [list(columns), *([read(row) for read in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join((first, *others)).rstrip()


def _summary(rows: list[Row], random: bool) -> Iterator[str]:
    judged = [row for row in rows if row["verdict"]]
    passed = sum(row["verdict"] == "pass" for row in judged)
    if not random:
        yield f"  {passed} of {len(judged)} lines pass: mean |Δ| of at most 0.5 of 255."
        return
    if judged:
        yield f"  {passed} of {len(judged)} lines pass: the paired 95 % interval of the accuracy difference holds 0."
        yield f"  {len(judged) * 0.05:.1f} of {len(judged)} intervals miss 0 by chance alone where nothing differs."
    found = sum(row["p_holm"] is not None and row["p_holm"] <= LEVEL for row in rows)
    yield f"  {found} of {len(rows)} lines differ by the test over pictures (p ≤ {LEVEL} after Holm)."


def _number(key: str, digits: int) -> Callable[[Row], str]:
    return lambda row: "–" if row[key] is None else f"{row[key]:.{digits}f}"


def _sides(moment: str) -> Callable[[Row], str]:
    """Both sides' moment of each channel: '3.21 3.20 3.19 | 3.22 3.20 3.18'."""
    return lambda row: " | ".join(" ".join(f"{row[f'{moment}_{c}_{side}']:.1f}" for c in "rgb") for side in ("ours", "theirs"))


def _difference(row: Row) -> str:
    return "–" if row["difference"] is None else f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"


_ENDS: dict[str, Callable[[Row], str]] = {
    "accuracy ours": _number("accuracy_ours", 1),
    "theirs": _number("accuracy_theirs", 1),
    "difference": _difference,
    "verdict": lambda row: row["verdict"] or "–",
}

FIXED: dict[str, Callable[[Row], str]] = {
    "corruption": lambda row: str(row["noise"]),
    "mean |Δ|": _number("delta_mean", 3),
    "max |Δ|": _number("delta_max", 0),
    **_ENDS,
}

RANDOM: dict[str, Callable[[Row], str]] = {
    "corruption": lambda row: str(row["noise"]),
    "mean of the change, ours | theirs": _sides("mean"),
    "its std, ours | theirs": _sides("std"),
    "spectrum dB": _number("spectrum_db", 2),
    "p (Holm)": _number("p_holm", 4),
    **_ENDS,
}

LEGEND = (
    "Δ: ours − theirs of 255. The change is the corrupted picture less the clean one, each channel by itself, in grey levels;",
    "moments are averaged over the pictures. Spectrum: mean over 8 radial bands of |ours − theirs|, dB. p: sign-flip test over",
    "pictures of the largest |t| of 14 features (mean and std of each channel, 8 bands), Holm over all random lines. Accuracies",
    "in %, their difference in points with its paired 95 % interval (bootstrap over pictures).",
)
