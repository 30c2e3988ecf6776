"""One self-contained HTML file from a results directory."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bitproof.core import StoreError
from bitproof.report import questions, tables, words
from bitproof.report.audits import audits, reasons
from bitproof.report.choosing import choosing
from bitproof.report.defending import defending
from bitproof.report.heatmaps import decoder_maps, heatmaps
from bitproof.report.plots import attack_plots, bits_plots, confidence_plot, dot_plot
from bitproof.report.recipes import cards
from bitproof.report.source import FAMILIES, Run, Section, read
from bitproof.report.tracks import orders, tracks
from bitproof.report.verdict import verdict
from bitproof.results import located


def write(path: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of the results directory or URL ``path`` to ``out`` (``path/report.html`` if not given) and return its path.

    Where chat models were asked, ``OUT-answers.html`` beside it shows their answers side by side.
    The page makes no request: script, styles and pictures are in the file. An empty directory makes a page that says so.
    Raises StoreError where ``path`` is no results directory or ``out`` cannot be written.
    """
    path = located(path)
    return put_run(read(path), path / "report.html" if out is None else Path(out))


def put_run(run: Run, out: Path) -> Path:
    """Write the page of a run that was read, and that of its answers where it has some. Raises StoreError."""
    answers = out.with_name(f"{out.stem}-answers.html")
    if not run.replies.is_empty():
        put(answers, render_answers(run, out.name))
    put(out, render(run, answers.name))
    return out


def put(out: Path, html: str) -> None:
    """Write a page; one that was there before stays whole until the new one is. Raises StoreError."""
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_text(html, encoding="utf-8", errors="replace")
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"The page {str(out)!r} cannot be written: {error.strerror or error}. Name another place with -o."
        ) from error


def render(run: Run, answers: str = "") -> str:
    """Return the page of ``run``; ``answers`` is where its page of answers lies."""
    return templates().get_template("page.html.j2").render(context(run) | {"answers": answers})


def render_answers(run: Run, back: str) -> str:
    """Return the page that shows what chat models answered, side by side; ``back`` is the page of ``run``."""
    cards = list(questions.cards(run.replies, run.gallery))
    return (
        templates()
        .get_template("answers.html.j2")
        .render(
            name=run.name,
            back=back,
            cards=cards,
            scenarios=sorted({card.scenario for card in cards}),
            noises=sorted({noise for card in cards for noise, _ in card.rows}),
        )
    )


def templates() -> Environment:
    """Return jinja2 with the templates of this room and its filters."""
    made = Environment(
        loader=PackageLoader("bitproof.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"script_json": script_json, "plain": words.plain, "count": words.count}
    return made


def context(run: Run) -> dict[str, Any]:
    """What the template shows."""
    return {
        "run": run,
        "families": FAMILIES,
        "sections": [_section(section) for section in run.sections],
        "choosing": choosing(run),
        "defending": defending(run),
        "tracks": tracks(run),
        "orders": orders(run),
        "recipes": cards(run),
        "servers": questions.servers(run.replies),
        "opinion": questions.second_opinion(run.judgement),
        "errors": tables.errors(run),
        "failures": tables.failures(run),
        "cell_ids": tables.cell_ids(run),
        "commands": commands(run),
        "times": times(run),
        "script": Markup(get_plotlyjs()),
    }


def _section(section: Section) -> dict[str, Any]:
    confidence = confidence_plot(section)
    return {
        "section": section,
        "title": _title(section),
        "verdict": verdict(section),
        "headline": tables.headline(section),
        "bits": bits_plots(section, [(name, tables.short(name)) for name in section.deciding if ":" not in name]),
        "heatmaps": heatmaps(section),
        "decoders": decoder_maps(section),
        "settings": tables.settings(section),
        "sequences": tables.sequences(section),
        "system": [dot_plot(section, "system", "field", "mixed")] if section.of("system", "field", "mixed") else [],
        "joined": tables.joined(section),
        "attacks": attack_plots(section),
        "audits": audits(section),
        "reasons": reasons(section),
        "gradients": sorted({cell["gradient"] for cell in section.of("adversarial") if cell["gradient"]}),
        "no_gradient": sorted(row["recipe"] for row in section.variants if not row["differentiable"]),
        "confidence": [confidence] if confidence else [],
        "calibration": tables.calibration(section),
        "details": tables.details(section),
        "figures": tables.every_figure(section),
        "scenarios": questions.scenarios(section, clean=True),
        "scenarios_noisy": questions.scenarios(section, clean=False),
        "usage": questions.usage(section),
    }


def _title(section: Section) -> str:
    behind = "" if section.defense == "none" else f" behind {section.defense}"
    return f"{section.model} on {section.task}{behind}"


def commands(run: Run) -> list[str]:
    """What to type to make the rows, the page and the tables again."""
    name = shlex.quote(run.name)
    return [f"bitproof run grid.yaml -o {name}", f"bitproof report {name}", f"bitproof results {name} --csv"]


def times(run: Run) -> str:
    """Where the time of the cells went, or nothing where no log was kept."""
    if not run.log:
        return ""
    pictures, waiting, network = (sum(line.get(f"{name}_s", 0) for line in run.log) for name in ("pictures", "waiting", "network"))
    return (
        f"Of {words.count(len(run.log), 'cell')} it is known where the time went: the network was busy for {network:,.0f} s and "
        f"waited {waiting:,.0f} s for pictures, which took {pictures:,.0f} s in the threads beside it (log.jsonl)."
    )


def script_json(value: object) -> Markup:
    """JSON that can stand inside a script element: ASCII alone, without ``<``, ``>`` and ``&``."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)
