"""``bitproof list``."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.core import Card, Registry

NAME = "list"


class Kind(StrEnum):
    """What can be listed."""

    models = "models"
    recipes = "recipes"
    quantizers = "quantizers"
    noises = "noises"
    attacks = "attacks"
    defenses = "defenses"
    tasks = "tasks"
    sources = "sources"
    backwards = "backwards"
    zoo = "zoo"


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
    if kind is Kind.models:
        from bitproof.models import MODELS as registry
    elif kind is Kind.tasks:
        from bitproof.tasks import TASKS as registry
    elif kind is Kind.sources:
        from bitproof.tasks import SOURCES as registry
    elif kind is Kind.attacks:
        from bitproof.noises import ATTACKS as registry
    elif kind is Kind.noises:
        from bitproof.noises import NOISES as registry
    elif kind is Kind.defenses:
        from bitproof.defenses import DEFENSES as registry
    elif kind is Kind.backwards:
        from bitproof.quantizers import BACKWARDS as registry
    else:
        from bitproof.quantizers import QUANTIZERS as registry
    return registry
