"""What was lost, in plain words, made from figures and their intervals alone."""

from __future__ import annotations

from dataclasses import dataclass

from bitproof.report.source import FAMILIES, Row, Section
from bitproof.report.words import GAINED, LOST, UNDECIDED, budget, change, count, interval, joined, number

#: What the deciding figures are called in a sentence.
SPOKEN = {
    "clean": "clean {things}",
    "nr": "natural noise",
    "system_mean": "system noise (mean)",
    "system_worst": "system noise (worst)",
    "robust_worst": "attacks (worst case)",
}

#: Below so many pictures a page warns: half of a 95 % interval for a share near one half is then wider than 4 points.
FEW = 500

_NO_CONTROL = (
    "There is no control here: add the recipe fp32 (or float for trained recipes) to the grid, and every figure gets a "
    "difference with an interval."
)

#: What a figure is called in a sentence, and the figure.
Told = tuple[str, Row]

#: Figures by what the interval of their difference says.
Changes = dict[str, list[Told]]


@dataclass(frozen=True)
class Verdict:
    """One section's summary: the warnings, the paragraph, and a line for each recipe."""

    warnings: tuple[str, ...]
    paragraph: str
    recipes: tuple[tuple[str, str], ...]


def verdict(section: Section) -> Verdict:
    """Say what ``section`` shows. Where an interval includes 0 the word is "undecided", never "no loss"."""
    if not section.cells:
        return Verdict((), "No cell has finished yet, so there is nothing to say.", ())
    warnings = tuple(_warnings(section))
    if section.control is None:
        return Verdict(warnings, _NO_CONTROL, ())
    lines = [(recipe, _changes(section, recipe)) for recipe in section.recipes if recipe != section.control]
    if not lines:
        return Verdict(warnings, f"Only the control {section.control} was run: there is no recipe to compare with it.", ())
    paragraph = f"{_overall(section, lines)} {_excess(section)}".strip()
    return Verdict(warnings, paragraph, tuple((recipe, _line(found)) for recipe, found in lines))


def _warnings(section: Section) -> list[str]:
    found = []
    fewest = {family: min(cell["n"] for cell in section.of(family)) for family in section.families}
    if section.sequences:
        fewest["perturbation"] = min(
            row["n"] for (_, name), row in section.figures.items() if name in section.sequences and row["n"]
        )
    small = [f"{n} for {FAMILIES[family].lower()}" for family, n in fewest.items() if n < FEW]
    if small:
        found.append(
            f"Few {section.things}: {joined(small)}. The intervals are wide, and small losses cannot be seen: "
            "undecided does not mean that nothing was lost."
        )
    if section.families == ("clean",) and not section.sequences:
        found.append(f"Only clean {section.things} were run: this says nothing about any noise. Add noises to the grid.")
    return found


def _changes(section: Section, recipe: str) -> Changes:
    found: Changes = {LOST: [], GAINED: [], UNDECIDED: []}
    attacks: Changes = {LOST: [], GAINED: [], UNDECIDED: []}
    for name in section.deciding:
        row = section.figure(recipe, name)
        said = change(row["delta_low"], row["delta_high"]) if row else ""
        if row and said:
            (attacks if name.startswith("robust_worst") else found)[said].append((_spoken(section, name, row), row))
    for said, told in _extremes(attacks).items():
        found[said].append(told)
    return found


def _spoken(section: Section, name: str, row: Row) -> str:
    kind, _, detail = name.partition(":")
    said = f"attacks ({budget(detail)})" if detail else SPOKEN[kind].format(things=section.things)
    return f"{said[:-1]}, {row['verdict']})" if row.get("verdict") else said


def _extremes(attacks: Changes) -> dict[str, Told]:
    """Of many budgets the one with the largest proven loss and gain; without either, the worst case of all."""
    found = {}
    if attacks[LOST]:
        found[LOST] = min(attacks[LOST], key=_delta)
    if attacks[GAINED]:
        found[GAINED] = max(attacks[GAINED], key=_delta)
    if not found and attacks[UNDECIDED]:
        found[UNDECIDED] = attacks[UNDECIDED][-1]
    return found


def _delta(told: Told) -> float:
    return float(told[1]["delta"])


def _overall(section: Section, lines: list[tuple[str, Changes]]) -> str:
    compared = [(recipe, found) for recipe, found in lines if any(found.values())]
    if not compared:
        return f"No figure could be compared with {section.control}."
    lost = [f"{recipe} {_where(found)}" for recipe, found in compared if found[LOST]]
    gained = [recipe for recipe, found in compared if found[GAINED] and not found[LOST]]
    undecided = [recipe for recipe, found in compared if not found[LOST] and not found[GAINED]]
    sentences = []
    if lost:
        sentences.append(f"Against {section.control} a loss is shown for {joined(lost)}.")
    if gained:
        sentences.append(f"Only gains are shown for {joined(gained)}.")
    if undecided:
        sentences.append(f"Undecided for {joined(undecided)}: every interval against {section.control} includes 0.")
    return " ".join([*sentences, *_doubts(compared)])


#: What a gain under attack is worth, by the masking audit's verdict.
_DOUBTS = {
    "masked": "is no robustness: the masking audit shows a hidden gradient",
    "undecided": "may be a hidden gradient: the masking audit is undecided, and the table of attacks says what to run",
    "holds": "holds under the masking audit",
}


def _doubts(compared: list[tuple[str, Changes]]) -> list[str]:
    """One sentence for each verdict on the gains under attack."""
    gains: dict[str, list[str]] = {}
    for recipe, found in compared:
        for what, row in found[GAINED]:
            if what.startswith("attacks"):
                gains.setdefault(row.get("verdict") or "undecided", []).append(recipe)
    return [f"The gain under attack of {joined(gains[verdict])} {said}." for verdict, said in _DOUBTS.items() if verdict in gains]


def _where(found: Changes) -> str:
    families = dict.fromkeys(what.partition(" (")[0] for what, _ in found[LOST])
    return f"(on {joined(list(families))})" if found[GAINED] or found[UNDECIDED] else "(in every family that was run)"


def _excess(section: Section) -> str:
    """The largest drop beyond the control's whose interval excludes 0."""
    cells = [cell for cell in section.cells if cell["excess_low"] is not None and cell["recipe"] != section.control]
    if not cells:
        return ""
    shown = [cell for cell in cells if cell["excess_low"] > 0]
    if not shown:
        return f"No noise hurts a recipe provably more than it hurts {section.control}: all {len(cells)} intervals reach 0."
    worst = max(shown, key=lambda cell: cell["excess"])
    span = interval(worst["excess_low"], worst["excess_high"])
    return (
        f"The largest excess drop whose interval excludes 0 is {worst['noise']} under {worst['recipe']}: it costs "
        f"{number(worst['excess'])} points {span} more than it costs {section.control} (n = {worst['n']:,}). "
        f"It was picked as the largest of {count(len(cells), 'cell')}, so expect less of it on new {section.things}."
    )


def _line(found: Changes) -> str:
    said = []
    if found[LOST]:
        said.append(f"loses {joined([_loss(*item) for item in found[LOST]])}")
    if found[GAINED]:
        said.append(f"gains {joined([_gain(*item) for item in found[GAINED]])}")
    if found[UNDECIDED]:
        said.append(f"undecided on {joined([what for what, _ in found[UNDECIDED]])}")
    return "; ".join(said) + "." if said else "no figure could be compared."


def _loss(what: str, row: Row) -> str:
    return f"{number(-row['delta'])} points {interval(-row['delta_high'], -row['delta_low'])} on {what}"


def _gain(what: str, row: Row) -> str:
    return f"{number(row['delta'])} points {interval(row['delta_low'], row['delta_high'])} on {what}"
