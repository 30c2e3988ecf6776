"""What ``bitproof run --dry-run`` prints."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import typer

from bitproof.bench import Cell, Plan, Prediction, Price, Search, load_grids, predict


def print_prediction(grid: Path) -> None:
    """Print variants, trainings and cells of every grid in the file, and what they will cost on this machine."""
    before: set[str] = set()
    totals = []
    for part in load_grids(grid):
        plan = Plan(part)
        prediction = predict(plan, before)
        _print(plan, prediction)
        before |= {variant.id for variant in plan.made} | {cell.id for cell in plan.cells}
        before |= {fit.id for cell in plan.cells if (fit := plan.fit(cell))}
        totals.append((prediction.variants_s + prediction.cells_s, plan.threads))
    if len(totals) > 1:
        hours = sum(seconds * threads for seconds, threads in totals) / 3600
        typer.echo(f"All {len(totals)} grids: {duration(sum(seconds for seconds, _ in totals))} ({hours:.2f} CPU-hours).")


def _print(plan: Plan, prediction: Prediction) -> None:
    typer.echo("Variants")
    for variant in plan.made:
        what = "trained" if variant.recipe.trains else "calibrated" if variant.recipe.bits is not None else "as given"
        use = "" if variant in plan.variants else ", for the noises that need it"
        typer.echo(f"  {variant.id}  {variant.model}  {variant.recipe}  seed {variant.seed}  on {variant.task}: {what}{use}")
    typer.echo("Cells, each with every variant of its task and model")
    groups: dict[tuple[object, ...], list[Cell]] = defaultdict(list)
    for cell in (cell for cell in plan.cells if not cell.is_control):
        what = cell.name if cell.family == "perturbation" else cell.noise
        groups[cell.variant.task, cell.variant.model, what, cell.defense, cell.limit].append(cell)
    for cells in groups.values():
        typer.echo(_line(cells, len(plan.samples(cells[0]))))
    if controls := [cell for cell in plan.cells if cell.is_control]:
        shown = sum(len(plan.samples(cell)) for cell in controls)
        typer.echo(f"  and {len(controls)} cells, {shown} samples, of what patches are compared with (limit: {{controls: …}})")
    for what, why in plan.left_out.items():
        typer.echo(f"Left out: {what}. {why}")
    if prediction.searches:
        typer.echo(
            "Ranges chosen by the loss, priced by a short search on a few samples; one whose round changes nothing ends early"
        )
    for search in prediction.searches:
        typer.echo(_search(search))
    if prediction.attacks:
        typer.echo(
            "Attacks; how many samples stand is guessed from a short attack on the float network, and those that fall leave early"
        )
    for price in prediction.attacks:
        typer.echo(_cost(price))
    total = prediction.variants_s + prediction.cells_s
    typer.echo(
        f"{prediction.variants} variants ({prediction.trainings} trained), {_fits(prediction)}{prediction.cells} cells, "
        f"{prediction.rows} rows.\n"
        f"Predicted on this machine with {plan.threads} threads: making variants {duration(prediction.variants_s)}, "
        f"cells {duration(prediction.cells_s)}, in all {duration(total)} ({total * plan.threads / 3600:.2f} CPU-hours); "
        f"disk {prediction.disk_bytes / 1e6:.0f} MB."
    )
    if prediction.requests:
        typer.echo(_requests(prediction))


def _fits(prediction: Prediction) -> str:
    return f"{prediction.fits} fits of defenses, " if prediction.fits else ""


def _requests(prediction: Prediction) -> str:
    """What servers are asked; answers that an earlier run had are not asked for again."""
    money = f", {prediction.money:,.2f} by the prices given" if prediction.money else ""
    return (
        f"At most {prediction.requests:,} requests, roughly {prediction.tokens / 1e6:.2f} million tokens{money}. "
        "The server's speed is not known before it is asked: 2 s a request are taken for granted."
    )


def _search(search: Search) -> str:
    """How much a recipe tries, and how long that takes."""
    rounds = f"at most {search.rounds} rounds" if search.rounds > 1 else "1 round"
    asked = f"{search.choices} choices a range in {rounds}"
    return f"  {search.recipe}: {asked}; at most about {duration(search.time_s)} on this machine  {search.model}"


def _cost(price: Price) -> str:
    """What an attack asks, how long that takes with the samples that may stand, and how long if all do."""
    gradients = f" and {price.gradients:,} gradients" if price.gradients else ""
    asked = f"{price.forwards:,} forwards{gradients} a surviving image"
    most = f", at most {duration(price.most_s)}" if price.most_s > 1.1 * price.time_s else ""
    return f"  {price.noise}: {asked}; about {duration(price.time_s)} on this machine{most}  {price.model}"


def _line(cells: list[Cell], samples: int) -> str:
    """One noise, or all frames of one sequence."""
    first, frames, variants = cells[0], len({c.noise for c in cells}), len({c.variant for c in cells})
    what = first.what if frames == 1 else f"{first.name} ({frames} frames)"
    return f"  {what:32} {samples:6d} samples × {variants} variants  {first.variant.model} on {first.variant.task}"


def duration(seconds: float) -> str:
    """75 → '1 min 15 s'; hours and minutes beyond an hour."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
