"""``bitproof remeasure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.core import VariantRow

NAME = "remeasure"


def command(path: Annotated[Path, typer.Argument(help="The directory of a run, with its networks.", metavar="PATH")]) -> None:
    """Measure the latency and packed size of a run's networks again: after another build, or on another machine."""
    from bitproof.bench import remeasure

    count = remeasure(path, _tell)
    typer.echo(f"{count} networks measured on this machine. Next: bitproof results {path} --what variants")


def _tell(before: VariantRow, now: VariantRow) -> None:
    packed = "" if now.packed_ms is None else f", packed {_ms(before.packed_ms)} → {_ms(now.packed_ms)}, float {_ms(now.float_ms)}"
    typer.echo(f"{now.model} {now.recipe} seed {now.seed}: {_ms(before.latency_ms)} → {_ms(now.latency_ms)}{packed}")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"
