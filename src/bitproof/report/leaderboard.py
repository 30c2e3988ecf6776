"""Several runs side by side: a static, sortable page, and the page of each run beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitproof.core import SpecError
from bitproof.report import page
from bitproof.report.source import DECIDING, Row, Run, Section, read
from bitproof.report.tables import Cell, Column, Table, amount, described, judged, short, text, titled
from bitproof.report.words import bits_label, count, method, size
from bitproof.results import located

INDEX = "index.html"

_FIRST = (
    Column("Recipe"),
    Column("Bits", "Of weights and activations; 32 stands for float"),
    Column("Method"),
    Column("Model"),
    Column("Run", "Its own page"),
    Column("Size, KB", "Parameters at their bit-width, 1 KB = 1,000 bytes", True),
    Column("Latency, ms", "Of one sample, simulated low bits included, on the machine of the run", True),
)


@dataclass(frozen=True)
class Board:
    """The lines of one task."""

    key: str
    task: str
    table: Table


@dataclass(frozen=True)
class Entry:
    """A run and its page."""

    run: Run
    file: str


def write_leaderboard(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write ``out``/index.html, with a line for each recipe of each of ``runs``, and their pages beside it; return its path.

    No page makes a request. Raises SpecError where a run stands twice, StoreError where one is none or ``out`` cannot be written.
    """
    paths, out = [located(run) for run in runs], Path(out)
    if len({path.resolve() for path in paths}) < len(paths):
        raise SpecError("A run stands twice on the leaderboard; name each once.")
    entries = [Entry(read(path), _file(i, path)) for i, path in enumerate(paths, 1)]
    for entry in entries:
        page.put_run(entry.run, out / entry.file)
    patched = any(row["label"] == "known" for entry in entries for row in entry.run.defended)
    shown = {"runs": entries, "boards": list(boards(entries)), "list": overview(entries), "patched": patched}
    page.put(out / INDEX, page.templates().get_template("leaderboard.html.j2").render(shown))
    return out / INDEX


def _file(number: int, path: Path) -> str:
    return f"{number:02d}-{re.sub('[^A-Za-z0-9_.-]+', '-', path.resolve().name)}.html"


def boards(entries: Sequence[Entry]) -> Iterator[Board]:
    """Yield the lines of each task: one a model, recipe, defense and run, and a column a figure that any of them has."""
    tasks = dict.fromkeys(section.task for entry in entries for section in entry.run.sections)
    for number, task in enumerate(sorted(tasks), 1):
        lines = [(entry, each) for entry in entries for each in entry.run.sections if each.task == task and each.cells]
        names = sorted({name for _, section in lines for name in section.deciding}, key=_place)
        if lines:
            columns = [*_FIRST, *(Column(short(name), f"{titled(name)}, %: {described(name).formula}", True) for name in names)]
            rows = [(recipe, _line(entry, section, recipe, names)) for entry, section in lines for recipe in section.recipes]
            marked = [i for i, (recipe, line) in enumerate(rows) if line[0].note.startswith("control")]
            yield Board(
                f"t{number}", task, Table(tuple(columns), tuple(line for _, line in rows), frozenset(marked), sortable=True)
            )


def _place(name: str) -> tuple[int, str]:
    return DECIDING.index(name.partition(":")[0]), name


def _line(entry: Entry, section: Section, recipe: str, names: Sequence[str]) -> tuple[Cell, ...]:
    made: Row = section.made_as(recipe) or {}
    notes = ["control"] if recipe == section.control else []
    notes += [] if section.defense == "none" else [f"behind {section.defense}"]
    figures = (judged(section.figure(recipe, name), better=described(name).better) for name in names)
    return (
        text(recipe, " · ".join(notes)),
        text(bits_label(recipe)),
        text(method(recipe)),
        text(section.model),
        Cell(entry.run.name, sort=entry.run.name, link=entry.file),
        Cell(size(made.get("size_bytes")), sort=made.get("size_bytes"), numeric=True),
        amount(made.get("latency_ms")),
        *figures,
    )


def overview(entries: Sequence[Entry]) -> Table:
    """One row a run: what it holds and what it was made on."""
    columns = (
        Column("Run"),
        Column("Cells", numeric=True),
        Column("Samples", numeric=True),
        Column("Processor"),
        Column("bitproof"),
    )
    rows = []
    for entry in entries:
        run, failed = entry.run, count(len(entry.run.failures), "cell failed", "cells failed") if entry.run.failures else ""
        cells = Cell(f"{len(run.cell_ids):,}", failed, len(run.cell_ids), "lost" if failed else "", True)
        samples = Cell(f"{run.samples:,}", sort=run.samples, numeric=True)
        machine = [text(run.environment.get(key) or "–") for key in ("cpu", "bitproof")]
        rows.append((Cell(run.name, sort=run.name, link=entry.file), cells, samples, *machine))
    return Table(columns, tuple(rows), sortable=True)
