"""``bitproof sensitivity``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitproof.bench import Measured, Score, Sensitivity

NAME = "sensitivity"

#: Of its clean accuracy: where less is left to the kept network, noise tells layers apart by chance.
_LEFT = 1 / 3

_NAMES = {"float": "float network", "kept": "all at 8 bits", "low": "all low-bit", "suggested": "suggested"}


def command(
    model: Annotated[str, typer.Argument(help="A network, as in a grid: timm/NAME, python:FILE.py#factory,…, resnet20:weights=…")],
    task: Annotated[str, typer.Option("--task", help="The labelled pictures: imagenet:DIR, parquet:FILE, … as in a grid.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="METHOD:wNaM that is only calibrated; what its layers have is compared with 8 bits.")
    ] = "mse:w4a4",
    noises: Annotated[
        list[str] | None,
        typer.Option(
            "--noise",
            help="Measure under this, beside clean: e.g. fog:3; may be repeated. Else gaussian_noise:3 of pictures, or what is as "
            "usual for other inputs; clean: under none.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many pictures.")] = 500,
    max_mb: Annotated[
        float | None, typer.Option("--max-mb", min=0, help="Suggest which layers to keep, in so many MB (10⁶ bytes) of weights.")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration", help="The data whose pictures set the ranges; else the task's, apart from those measured on."
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many of them, drawn by seed 0.")] = 256,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write sensitivity.csv here: every network and noise, with its recipe.")
    ] = None,
) -> None:
    """Say which layers must stay at 8 bits: each made low-bit alone, on clean pictures and under noise."""
    from bitproof.bench import sensitivity
    from bitproof.cli.progress import Bar

    if out is not None:
        with _explained("made", out):  # before anything long is done
            out.mkdir(parents=True, exist_ok=True)
    with Bar() as bar:
        found = sensitivity(model, recipe, task, noises or None, limit=limit, n=n, calibration=calibration, max_mb=max_mb, tell=bar)
    _print(found)
    if out is not None:
        with _explained("written", out):
            (out / "sensitivity.csv").write_text(found.frame().write_csv(), encoding="utf-8")
        typer.echo(f"Written: {out / 'sensitivity.csv'}")


@contextmanager
def _explained(action: str, out: Path) -> Iterator[None]:
    from bitproof.core import StoreError

    try:
        yield
    except OSError as error:
        raise StoreError(f"{str(out)!r} cannot be {action}: {error.strerror}.") from None


def _print(found: Sensitivity) -> None:
    fresh = [network for network in found.networks if network.fresh]
    first = found.networks[0].scores
    _table([network for network in found.networks if not network.fresh])
    typer.echo(
        f"A layer's line: it alone is low-bit, all others at 8 bits. n = {first[0].n}. drop: points below all at 8 bits, paired, "
        "with a 95 % interval for each line alone; loss: mean cross-entropy above it, nats. KB and saves: 10³ bytes of weights."
    )
    for line in _drowned(found.of("kept")[0].scores):
        typer.echo(line)
    for one in found.of("suggested"):
        typer.echo(f"Suggested, {one.size_bytes / 1e6:.4g} MB: {one.recipe}")
        if one.recipe == found.of("low")[0].recipe:
            typer.echo("That is the recipe as given: no layer is worth its bytes, or none fits.")
        if not fresh:
            typer.echo(
                "It was chosen on the pictures that it is measured on, which flatters it, and the data has not as many others: "
                "a smaller --limit leaves some."
            )
    if fresh:
        typer.echo(f"On {fresh[0].scores[0].n} other pictures, that nothing was chosen on:")
        _table(fresh)


def _drowned(scores: Sequence[Score]) -> Iterator[str]:
    """A warning for each noise that leaves next to nothing to compare."""
    for score in scores:
        if score.accuracy < _LEFT * scores[0].accuracy:
            yield (
                f"Under {score.noise} all at 8 bits has {score.accuracy:.1f} % (clean {scores[0].accuracy:.1f} %): so little tells "
                "layers apart by chance. A milder noise says more: --noise NAME:1."
            )


def _table(networks: Sequence[Measured]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from bitproof.cli.console import wide

    columns = [f"{score.noise}: {what}" for score in networks[0].scores for what in ("%", "drop", "loss")]
    table = Table("network", "bits", "KB", "saves", *columns, box=None, header_style="bold")
    for one in networks:
        table.add_row(*map(escape, (*_about(one), *(text for score in one.scores for text in _texts(score, one.kind)))))
    wide().print(table)


def _about(one: Measured) -> tuple[str, ...]:
    name = one.layer or _NAMES[one.kind]
    bits = "mixed" if one.kind == "suggested" else one.bits
    return name, bits, f"{one.size_bytes / 1e3:,.1f}", f"{one.saved_bytes / 1e3:,.1f}"


def _texts(score: Score, kind: str) -> tuple[str, ...]:
    if kind == "kept":  # it is what the others are compared with
        return f"{score.accuracy:.2f}", "–", "–"
    drop = f"{score.drop:+.2f} [{score.drop_low:.1f}, {score.drop_high:.1f}]"
    return f"{score.accuracy:.2f}", drop, f"{score.loss_rise:+.4f}"
