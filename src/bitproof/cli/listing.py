"""``bitproof list``."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from typing import Annotated

import typer

NAME = "list"


class Kind(StrEnum):
    """What can be listed."""

    models = "models"
    recipes = "recipes"
    quantizers = "quantizers"
    noises = "noises"
    attacks = "attacks"
    tasks = "tasks"


def command(kind: Kind, as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False) -> None:
    """List what bitproof knows: name, one line, source, version."""
    cards = _cards(kind)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(card) for card in cards], indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what", "source", "version", box=None, header_style="bold")
    for card in cards:
        table.add_row(card.name, card.summary, card.source, str(card.version))
    Console().print(table)


def _cards(kind: Kind) -> list:  # type: ignore[type-arg]
    if kind is Kind.models:
        from bitproof.models import MODELS as registry
    elif kind is Kind.tasks:
        from bitproof.tasks import TASKS as registry
    elif kind in (Kind.noises, Kind.attacks):
        from bitproof.noises import ATTACKS, NOISES

        registry = ATTACKS if kind is Kind.attacks else NOISES
    else:
        from bitproof.quantizers import QUANTIZERS as registry
    return registry.cards()
