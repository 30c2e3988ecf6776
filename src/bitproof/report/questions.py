"""What chat models answered: a table of scenarios, and the cards of the page of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from bitproof.report.source import Row, Section
from bitproof.report.tables import Cell, Column, Table, difference, text
from bitproof.report.words import change, count, interval, number

_SCENARIOS = (
    Column("Scenario"),
    Column("Noise"),
    Column("Recipe"),
    Column("n", "Items; below 50 it is too small to tell models apart", True),
    Column("Right, %", "With its 95 % interval, and the difference from the control on the same items below", True),
    Column("Score, %", "With part of the credit where an answer is nearly right", True),
    Column("Balanced, %", "Mean of the shares right where yes and where no is true", True),
    Column("Yes-rate, %", "Yes among the answers yes and no; half of the questions are yes in a balanced pack", True),
    Column("Hallucination, %", "Answers to matched negatives that see what is not there", True),
    Column("Refused, %", "Of all askings; counts as not right", True),
    Column("Unreadable, %", "Answers in which nothing could be read; count as not right", True),
    Column("Steady, %", "Items with one answer over all phrasings; below it over all repeats", True),
    Column("Churn, %", "Askings whose answer is not the control's", True),
)

#: So many characters of a reply stand on the page.
SHOWN = 240


@dataclass(frozen=True)
class Answer:
    """One reply, as a card shows it."""

    noise: str
    recipe: str
    status: str
    value: str
    reply: str
    changed: bool


@dataclass(frozen=True)
class Card:
    """One item: its picture, its question, and what each recipe answered under each noise."""

    task: str
    model: str
    sample: str
    scenario: str
    question: str
    options: tuple[str, ...]
    answer: str
    picture: str
    noisy: tuple[Row, ...]
    recipes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Answer | None, ...]], ...]

    @property
    def words(self) -> str:
        """What the filters look at: the statuses that occur, and whether an answer changed."""
        found = {answer.status for _, row in self.rows for answer in row if answer}
        changed = any(answer.changed for _, row in self.rows for answer in row if answer)
        return " ".join([*sorted(found), *(["changed"] if changed else [])])


def scenarios(section: Section, *, clean: bool) -> Table:
    """One row a scenario and recipe, of the clean pictures or of all noises."""
    order = {recipe: i for i, recipe in enumerate(section.recipes)}
    lines = sorted(
        (row for row in section.questions if (row["noise"] == "clean") == clean),
        key=lambda row: (row["scenario"] != "all", row["scenario"], row["noise"], order.get(row["recipe"], len(order))),
    )
    marked = frozenset(i for i, row in enumerate(lines) if row["recipe"] == section.control)
    shown = [i for i, column in enumerate(_SCENARIOS) if not (clean and column.title == "Noise")]
    fields = tuple(tuple(_line(row)[i] for i in shown) for row in lines)
    return Table(tuple(_SCENARIOS[i] for i in shown), fields, marked, sortable=True)


def _line(row: Row) -> tuple[Cell, ...]:
    said = change(row["delta_low"], row["delta_high"])
    right = f"{number(row['value'])} {interval(row['low'], row['high'])}".strip()
    compared = difference(row["delta"], row["delta_low"], row["delta_high"], said)
    seen = f"{number(row['hallucination'])} {interval(row['hallucination_low'], row['hallucination_high'])}".strip()
    repeats = f"repeats {number(row['repeats'])}" if row["repeats"] is not None else ""
    return (
        text(row["scenario"]),
        text(row["noise"]),
        text(row["recipe"]),
        Cell(f"{row['n']:,}", "n too small" if row["few"] else "", row["n"], "", True),
        Cell(right, compared, row["value"], said, True),
        _plain(row, "score"),
        _plain(row, "balanced"),
        _plain(row, "yes_rate"),
        Cell(seen, "", row["hallucination"], "", True),
        _plain(row, "refusal"),
        _plain(row, "unparsable"),
        Cell(number(row["phrasings"]), repeats, row["phrasings"], "", True),
        _plain(row, "churn"),
    )


def _plain(row: Row, name: str) -> Cell:
    return Cell(number(row[name]), "", row[name], "", True)


def usage(section: Section) -> str:
    """What was asked and what it cost, or nothing where nothing was."""
    lines = [row for row in section.questions if row["scenario"] == "all" or _alone(section, row)]
    if not lines:
        return ""
    asked, tokens, cost = (sum(row[name] or 0 for row in lines) for name in ("askings", "tokens", "cost"))
    money = f", {cost:,.2f} by the prices given" if cost else ""
    times = [row["latency_ms"] for row in lines if row["latency_ms"] is not None]
    speed = f"; a reply took {number(sorted(times)[len(times) // 2] / 1e3)} s at the median" if times else ""
    return f"{count(asked, 'asking')}, {tokens:,} tokens as the servers count them{money}{speed}."


def servers(replies: pl.DataFrame) -> list[str]:
    """What the server of each recipe says it is, a line each."""
    told = replies.select("model", "recipe", "server").unique().sort("model", "recipe", "server")
    return [f"{row['recipe']} of {row['model']}: {row['server'] or 'it does not say'}" for row in told.iter_rows(named=True)]


def second_opinion(found: Mapping[str, Any]) -> str:
    """How far a judge model agrees with people and with the rules, or nothing where none was asked."""
    if not found:
        return ""
    people, rules = (
        f"{number(each['value'])} % {interval(each['low'], each['high'])} (kappa {each['kappa']:.2f}) of {each['n']}"
        for each in (found["labelled"], found["rules"])
    )
    return (
        f"A second opinion: {found['judge']} agrees with a person's labels on {people} labelled replies, "
        f"and with the rules on {rules} replies of this run."
    )


def _alone(section: Section, row: Row) -> bool:
    """Whether the cell of ``row`` has one scenario, and so no line over all of them."""
    return not any(other["scenario"] == "all" and other["noise"] == row["noise"] for other in section.questions)


def cards(replies: pl.DataFrame, gallery: Iterable[Row]) -> Iterator[Card]:
    """Yield a card a task, model and item whose clean picture is in ``gallery``, by scenario; first phrasing, first repeat."""
    pictures = {(each["task"], each["noise"], each["sample"]): each for each in gallery}
    first = replies.filter(trial=0, seed=replies["seed"].min()) if replies.height else replies
    groups = first.sort("scenario", "sample").partition_by("task", "model", "sample", as_dict=True, maintain_order=True)
    for (task, model, sample), rows in groups.items():
        clean = pictures.get((task, "clean", sample))
        if clean is not None:
            noisy = [each for (t, noise, s), each in pictures.items() if (t, s) == (task, sample) and noise != "clean"]
            yield _card(str(task), str(model), str(sample), rows, clean["png"], tuple(noisy))


def _card(task: str, model: str, sample: str, rows: pl.DataFrame, picture: str, noisy: tuple[Row, ...]) -> Card:
    said = {(row["noise"], row["recipe"]): row for row in rows.iter_rows(named=True)}
    recipes = sorted({recipe for _, recipe in said}, key=lambda name: (name not in ("float", "fp32"), name))
    noises = sorted({noise for noise, _ in said}, key=lambda name: (name != "clean", name))
    one = rows.row(0, named=True)

    def answer(noise: str, recipe: str) -> Answer | None:
        row, control = said.get((noise, recipe)), said.get((noise, recipes[0]))
        if row is None:
            return None
        changed = control is not None and (row["status"], row["value"]) != (control["status"], control["value"])
        return Answer(noise, recipe, row["status"], row["value"], _short(row["reply"]), changed)

    return Card(
        task=task,
        model=model,
        sample=sample,
        scenario=one["scenario"],
        question=one["question"],
        options=tuple(one["options"].split("|")) if one["options"] else (),
        answer=one["answer"],
        picture=picture,
        noisy=noisy,
        recipes=tuple(recipes),
        rows=tuple((noise, tuple(answer(noise, recipe) for recipe in recipes)) for noise in noises),
    )


def _short(reply: str) -> str:
    """The beginning of a reply, control characters shown as what they are."""
    shown = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in reply)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
