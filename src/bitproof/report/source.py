"""All that a page shows, read once: a results directory and the figures that ``analysis`` makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from bitproof import analysis
from bitproof.analysis import Choice
from bitproof.report.words import bits_order
from bitproof.results import Store, imagenet, load, replies, variants

Row = dict[str, Any]

#: The families of noise in the order of a page, with their titles.
FAMILIES = {
    "clean": "Clean",
    "natural": "Natural noise",
    "perturbation": "Perturbation sequences",
    "system": "System noise",
    "field": "Field bugs",
    "adversarial": "Adversarial",
    "mixed": "Mixed noise",
}


#: The figures that decide, in the order of the headline table; ``robust_worst`` stands for its budgets too.
DECIDING = ("clean", "nr", "system_mean", "system_worst", "robust_worst")

#: What a page tells of a cell that failed.
FAILURE = ("task", "model", "recipe", "noise", "seed", "error")


@dataclass(frozen=True)
class Section:
    """One model on one task behind one defense: rows of ``analysis`` and ``results.variants``.

    The frames of perturbation sequences are no ``cells``: their figures are those of whole ``sequences``. ``things`` is what the
    samples are, ``note`` what has to be known of them.
    """

    key: str
    task: str
    model: str
    defense: str
    cells: tuple[Row, ...]
    figures: Mapping[tuple[str, str], Row]
    variants: tuple[Row, ...]
    gallery: tuple[Row, ...]
    audit: tuple[Row, ...] = ()
    questions: tuple[Row, ...] = ()
    things: str = "pictures"
    note: str = ""

    @cached_property
    def control(self) -> str | None:
        """The recipe that every other one is compared with."""
        named = [row["control"] for row in (*self.figures.values(), *self.cells) if row["control"]]
        return named[0] if named else None

    @property
    def given(self) -> bool:
        """Whether the control is a network that came low-bit."""
        return (self.control or "").startswith(analysis.GIVEN)

    @cached_property
    def recipes(self) -> tuple[str, ...]:
        """All recipes: the control, then from many bits to few."""
        names = {cell["recipe"] for cell in self.cells}
        names |= {row["recipe"] for row in self.variants if not any(self.made_as(name) is row for name in names)}
        return tuple(sorted(names, key=lambda name: (name != self.control, bits_order(name))))

    def made_as(self, recipe: str) -> Row | None:
        """The variant of a recipe. Several variants of one are told apart as ``RECIPE [first digits of the variant's id]``."""
        name, _, digits = recipe.removesuffix("]").partition(" [")
        return next((row for row in self.variants if row["recipe"] == name and row["variant"].startswith(digits)), None)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families that have cells."""
        present = {cell["family"] for cell in self.cells}
        return tuple(name for name in FAMILIES if name in present)

    def of(self, *families: str) -> list[Row]:
        """The cells of ``families``."""
        return [cell for cell in self.cells if cell["family"] in families]

    def figure(self, recipe: str, name: str) -> Row | None:
        """One figure, or None where it was not made or came out empty."""
        row = self.figures.get((recipe, name))
        return row if row is not None and row["value"] is not None else None

    def named(self, *kinds: str) -> list[str]:
        """The figures that have a value and are called ``kind`` or ``kind:…``, in the order of ``kinds``."""
        found = dict.fromkeys(name for (_, name), row in self.figures.items() if row["value"] is not None)
        return [name for kind in kinds for name in found if name == kind or name.startswith(f"{kind}:")]

    @cached_property
    def sequences(self) -> tuple[str, ...]:
        """The figures of perturbation sequences."""
        return tuple(self.named("mfp", "mfr_float", "flip"))

    @cached_property
    def deciding(self) -> tuple[str, ...]:
        """The figures of ``DECIDING`` that are here. One budget's worst case that is the worst case of all stands once."""
        names = self.named(*DECIDING)
        budgets = [name for name in names if ":" in name]
        if len(budgets) == 1 and all(
            self._value(recipe, budgets[0]) == self._value(recipe, "robust_worst") for recipe in self.recipes
        ):
            names.remove(budgets[0])
        return tuple(names)

    def _value(self, recipe: str, name: str) -> float | None:
        row = self.figure(recipe, name)
        return row["value"] if row else None


@dataclass(frozen=True)
class Run:
    """A results directory as a page needs it."""

    name: str
    sections: tuple[Section, ...]
    variants: tuple[Row, ...]
    reports: Mapping[str, Row]
    failures: tuple[Row, ...]
    cell_ids: tuple[Row, ...]
    environment: Mapping[str, Any]
    environments: tuple[Mapping[str, Any], ...]
    grid: str
    grids: tuple[str, ...]
    samples: int
    log: tuple[Row, ...]
    choices: tuple[Choice, ...]
    replies: pl.DataFrame
    judgement: Mapping[str, Any]
    gallery: tuple[Row, ...]
    tracks: tuple[Row, ...] = ()
    defended: tuple[Row, ...] = ()
    defenses: Mapping[str, Row] = field(default_factory=dict)


def read(path: Path) -> Run:
    """Read ``path`` and compute its figures. Raises StoreError where it is no results directory."""
    store, rows, made = Store.open(path), load(path), variants(path)
    cells, figures, audits, choices = [], [], [], []
    if not rows.is_empty():
        still = rows.filter(pl.col("family") != "perturbation")
        cells, figures = analysis.accuracy(still).to_dicts(), analysis.summary(rows, imagenet=imagenet(path)).to_dicts()
        audits, choices = analysis.audit(still).to_dicts(), analysis.pareto(still, made)
    said, pictures, environment, earlier = replies(path), tuple(store.gallery()), store.environment(), store.environments()
    told = [*earlier, environment]
    things, notes = ({key: of for each in told for key, of in each.get(name, {}).items()} for name in ("things", "notes"))
    asked = analysis.questions(said).to_dicts()
    keys = ["task", "model", "recipe", "defense", "noise", "seed", "cell", "variant"]
    return Run(
        name=path.resolve().name,
        sections=tuple(
            replace(section, things=things.get(section.task, "pictures"), note=notes.get(section.task, ""))
            for section in _sections(cells, figures, audits, made.to_dicts(), _ordered(pictures, cells), asked)
        ),
        variants=tuple(made.to_dicts()),
        reports=store.reports(),
        failures=tuple({key: found.get(key, "–") for key in FAILURE} for found in store.failures()),
        cell_ids=tuple(rows.select(keys).unique(maintain_order=True).sort(keys).to_dicts()),
        environment=environment,
        environments=tuple(earlier),
        grid=store.grid(),
        grids=tuple(store.grids()),
        samples=rows.height,
        log=tuple(store.log()),
        choices=tuple(choices),
        replies=said,
        judgement=store.judgement(),
        gallery=pictures,
        tracks=_tracks(rows, made),
        defended=tuple(analysis.defended(rows).to_dicts()),
        defenses=store.defenses(),
    )


def _tracks(rows: pl.DataFrame, made: pl.DataFrame) -> tuple[Row, ...]:
    """BiBench's tracks, where a recipe is binarized; they are ratios to a float control, so not where that is low-bit itself."""
    rows = rows.filter(defense="none")
    given = rows.filter(pl.col("recipe").str.starts_with(analysis.GIVEN)).select("task", "model").unique()
    rows = rows.join(given, on=["task", "model"], how="anti")
    binarized = any(analysis.recipe_bits(recipe) == (1, 1) for recipe in rows["recipe"].unique())
    return tuple(analysis.bibench(rows, made).to_dicts()) if binarized else ()


def _sections(
    cells: list[Row], figures: list[Row], audits: list[Row], made: list[Row], gallery: list[Row], asked: list[Row]
) -> Iterator[Section]:
    places = {_place(row) for row in cells}
    places |= {(row["task"], row["model"], "none") for row in made} - {(task, model, "none") for task, model, _ in places}
    first: dict[str, str] = {}
    for number, place in enumerate(sorted(places, key=lambda place: (*place[:2], place[2] != "none", place[2])), 1):
        task, model, defense = place
        shows = first.setdefault(task, model) == model
        yield Section(
            key=f"s{number}",
            task=task,
            model=model,
            defense=defense,
            cells=tuple(row for row in cells if _place(row) == place),
            figures={(row["recipe"], row["figure"]): row for row in figures if _place(row) == place},
            variants=tuple(row for row in made if (row["task"], row["model"]) == (task, model)),
            gallery=tuple(picture for picture in gallery if shows and picture["task"] == task),
            audit=tuple(row for row in audits if _place(row) == place),
            questions=tuple(row for row in asked if _place(row) == place),
        )


def _ordered(gallery: Sequence[Row], cells: list[Row]) -> list[Row]:
    """One picture a task and noise, by family; those of a noise that no cell has come last, those of a defense stand elsewhere."""
    gallery = list({(each["task"], each["noise"]): each for each in reversed(gallery) if " behind " not in each["noise"]}.values())
    order = {name: place for place, name in enumerate(FAMILIES)}
    families = {cell["noise"]: order.get(cell["family"], len(order)) for cell in cells}
    return sorted(gallery, key=lambda picture: (families.get(picture["noise"], len(FAMILIES)), picture["noise"]))


def _place(row: Row) -> tuple[str, str, str]:
    return row["task"], row["model"], row["defense"]
