"""``bitproof list``."""

from __future__ import annotations

import dataclasses
import json
import pkgutil
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.core import Card, Registry

NAME = "list"


class Kind(StrEnum):
    """What can be listed."""

    models = "models"
    detectors = "detectors"
    recipes = "recipes"
    quantizers = "quantizers"
    noises = "noises"
    attacks = "attacks"
    defenses = "defenses"
    tasks = "tasks"
    sources = "sources"
    backwards = "backwards"
    matches = "matches"
    executors = "executors"
    trackers = "trackers"
    zoo = "zoo"


#: Kind → the room that has its registry, and what that is called there.
_TABLES = {
    Kind.models: "models:MODELS",
    Kind.detectors: "models:DETECTORS",
    Kind.quantizers: "quantizers:QUANTIZERS",
    Kind.noises: "noises:NOISES",
    Kind.attacks: "noises:ATTACKS",
    Kind.defenses: "defenses:DEFENSES",
    Kind.tasks: "tasks:TASKS",
    Kind.sources: "tasks:SOURCES",
    Kind.backwards: "quantizers:BACKWARDS",
    Kind.matches: "training:MATCHES",
    Kind.executors: "bench:EXECUTORS",
    Kind.trackers: "bench:TRACKERS",
}


def command(kind: Kind, as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False) -> None:
    """List what bitproof knows: name, one line, source, version."""
    found = cards(kind)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(card) for card in found], indent=2, ensure_ascii=False))
        return
    from rich.markup import escape
    from rich.table import Column, Table

    from bitproof.cli.console import wide

    table = Table(Column("name", no_wrap=True), "what", "source", "version", box=None, header_style="bold")
    for card in found:
        table.add_row(*map(escape, (card.name, card.summary, card.source, str(card.version))))
    wide().print(table)


def cards(kind: Kind) -> list[Card]:
    """What there is of ``kind``."""
    if kind is Kind.recipes:
        from bitproof.convert import recipe_cards

        return recipe_cards()
    if kind is Kind.zoo:
        from bitproof.export import zoo_cards

        return zoo_cards()
    if kind is Kind.noises:
        from bitproof.noises import family_cards

        return [*_registry(kind).cards(), *family_cards()]
    return _registry(kind).cards()


def _registry(kind: Kind) -> Registry:
    registry: Registry = pkgutil.resolve_name(f"bitproof.{_TABLES[kind]}")
    return registry
