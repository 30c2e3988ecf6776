"""``bitproof demo``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

NAME = "demo"

#: So many clips of a folder are heard at most, each attacked one of so many, so that the demo ends within two minutes.
CLIPS, ATTACKED = 156, 24


class Kind(StrEnum):
    """The kinds of input that have a demo."""

    image = "image"
    keyword = "keyword"


def command(
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Results directory and page: bitproof-demo, or bitproof-demo-keyword."),
    ] = None,
    task: Annotated[Kind, typer.Option("--task", help="What the networks take: pictures, or recordings of words.")] = Kind.image,
    clips: Annotated[
        Path | None,
        typer.Option("--clips", help="With --task keyword: a folder of recordings, one folder a word; else a synthesizer speaks."),
    ] = None,
) -> None:
    """Run the embedded default, from packages alone, and write its report (under 5 minutes on 2 cores, of words under 2)."""
    from bitproof.bench import run
    from bitproof.cli.progress import Bar
    from bitproof.cli.run import finish
    from bitproof.report import write

    if clips is not None and task is not Kind.keyword:
        raise typer.BadParameter("recordings are for networks of words. Type: bitproof demo --task keyword --clips DIR")
    out = out or Path("bitproof-demo" if task is Kind.image else "bitproof-demo-keyword")
    grid = _embedded(task) if task is Kind.image else _of_clips(_embedded(task), clips)
    with Bar() as bar:
        outcome = run(grid, out, bar)
    if task is Kind.keyword:
        _print_accuracies(out)
    typer.echo(f"Report: {write(out)}")
    finish(outcome, out)


def _embedded(task: Kind) -> str:
    return Path(__file__).with_name(f"demo_{task}.yaml").read_text(encoding="utf-8")


def _of_clips(grid: str, clips: Path | None) -> str:
    """The grid with its data: a user's folder, or the synthesizer; small folders are heard whole."""
    import yaml

    from bitproof.core import Spec
    from bitproof.tasks import load_any

    spec = "spoken" if clips is None else str(Spec("audiofolder", ((None, str(clips)), ("classes", "12"))))
    there = len(load_any(spec).data)
    natural = min(CLIPS, there)
    limit = {"clean": natural, "natural": natural, "system": natural, "adversarial": min(ATTACKED, there)}
    parts = [{**part, "tasks": [spec], "limit": limit} for part in yaml.safe_load_all(grid)]
    return yaml.safe_dump_all(parts, allow_unicode=True, sort_keys=False)


def _print_accuracies(out: Path) -> None:
    """Say what each network makes of the clean clips, with its interval."""
    from bitproof import analysis, results

    clean = analysis.accuracy(results.load(out).filter(family="clean"))
    for row in clean.sort("model", "recipe").iter_rows(named=True):
        span = f"[{row['low']:.1f}, {row['high']:.1f}]"
        typer.echo(f"Clean words under {row['recipe']}: {row['value']:.1f} % {span} of {row['n']}")
