"""What ``bitproof run --dry-run`` prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import typer

from bitproof.bench import Plan, Prediction, load_grids, predict


def print_prediction(grid: Path) -> None:
    """Print variants, trainings and cells of every grid in the file, and what they will cost on this machine."""
    for part in load_grids(grid):
        plan = Plan(part)
        _print(plan, predict(plan))


def _print(plan: Plan, prediction: Prediction) -> None:
    typer.echo("Variants")
    for variant in plan.made:
        what = "trained" if variant.recipe.trains else "calibrated" if variant.recipe.bits is not None else "as given"
        use = "" if variant in plan.variants else ", for the noises that need it"
        typer.echo(f"  {variant.id}  {variant.model}  {variant.recipe}  seed {variant.seed}  on {variant.task}: {what}{use}")
    typer.echo("Cells, each with every variant of its task and model")
    for (task, model, noise, limit), count in Counter(
        (c.variant.task, c.variant.model, c.noise, c.limit) for c in plan.cells
    ).items():
        samples = next(len(plan.samples(c)) for c in plan.cells if c.noise == noise and c.variant.task == task and c.limit == limit)
        typer.echo(f"  {noise:32} {samples:6d} samples × {count} variants  {model} on {task}")
    total = prediction.variants_s + prediction.cells_s
    typer.echo(
        f"{prediction.variants} variants ({prediction.trainings} trained), {prediction.cells} cells, {prediction.rows} rows.\n"
        f"Predicted on this machine with {plan.threads} threads: making variants {duration(prediction.variants_s)}, "
        f"cells {duration(prediction.cells_s)}, in all {duration(total)} ({total * plan.threads / 3600:.2f} CPU-hours); "
        f"disk {prediction.disk_bytes / 1e6:.0f} MB."
    )


def duration(seconds: float) -> str:
    """75 → '1 min 15 s'; hours and minutes beyond an hour."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
