"""``bitproof new``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

NAME = "new"


class What(StrEnum):
    """What can be begun."""

    quantizer = "quantizer"
    noise = "noise"


def command(
    what: Annotated[What, typer.Argument(help="quantizer: a method or range rule; noise: a corruption of pictures.")],
    name: Annotated[str, typer.Argument(help="What recipes or grids will call it, e.g. n2uq.")],
) -> None:
    """Begin a method in a source checkout: its file, its line in the table, and tests that fail until it is written."""
    import bitproof
    from bitproof.cli.scaffold import KINDS, scaffold

    kind, root = KINDS[what], Path(bitproof.__file__).parents[2]
    for path in scaffold(root, kind, name, _taken()):
        typer.echo(f"written: {path.relative_to(root)}")
    module = name.replace("-", "_")
    typer.echo(f"It fails until its formula is written, in the method and, apart, in the test: pytest {kind.tests.format(module)}")
    typer.echo(f"Then the contract: pytest {kind.contract} -k {name}, and its stored numbers: python {kind.golden}")


def _taken() -> frozenset[str]:
    from bitproof.noises import ATTACKS, FAMILIES, NOISES
    from bitproof.quantizers import QUANTIZERS

    return frozenset(["fp32", "float", *QUANTIZERS, *NOISES, *ATTACKS, *FAMILIES, "clean", "evidence"])
