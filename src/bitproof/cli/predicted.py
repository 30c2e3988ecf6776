"""What ``bitproof run --dry-run`` prints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from bitproof.bench import A100, Cell, Plan, Prediction, Price, Search, load_grids, predict


def print_prediction(grid: Path, device: str = "auto") -> None:
    """Print variants, trainings and cells of every grid in the file, and what they will cost on this machine."""
    before: set[str] = set()
    told: list[tuple[Prediction, int]] = []
    for part in load_grids(grid):
        plan = Plan(part)
        prediction = predict(plan, before, device)
        _print(plan, prediction)
        before |= {variant.id for variant in plan.made} | {cell.id for cell in plan.cells}
        before |= {fit.id for cell in plan.cells if (fit := plan.fit(cell))}
        told.append((prediction, plan.threads))
    if len(told) > 1:
        typer.echo(_sum(told))


def _sum(told: Sequence[tuple[Prediction, int]]) -> str:
    """The time of all grids in a file."""
    hours = _hours(told)
    flop = sum(one.work_flop.total for one, _ in told if one.work_flop)
    gpu = f"; about {_figure(A100.hours(flop))} GPU-hours on an {A100.name}, as estimated above" * bool(flop)
    return f"All {len(told)} grids: {duration(sum(map(_total_s, (one for one, _ in told))))} ({hours}){gpu}."


def _total_s(prediction: Prediction) -> float:
    return prediction.variants_s + prediction.cells_s


def _hours(told: Sequence[tuple[Prediction, int]]) -> str:
    """CPU-hours, or the hours of the GPU that was measured."""
    if all(one.device == "cpu" for one, _ in told):
        return f"{sum(_total_s(one) * threads for one, threads in told) / 3600:.2f} CPU-hours"
    return f"{sum(one.work_s.total for one, _ in told if one.work_s) / 3600:.2f} GPU-hours"


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
    typer.echo(
        f"{prediction.variants} variants ({prediction.trainings} trained), {_fits(prediction)}{prediction.cells} cells, "
        f"{prediction.rows} rows.\n"
        f"Predicted on this machine with {plan.threads} threads{'' if prediction.device == 'cpu' else ' and its GPU'}: "
        f"making variants {duration(prediction.variants_s)}, cells {duration(prediction.cells_s)}, "
        f"in all {duration(_total_s(prediction))} ({_hours([(prediction, plan.threads)])}); "
        f"disk {prediction.disk_bytes / 1e6:.0f} MB."
    )
    for line in _on_gpus(prediction):
        typer.echo(line)
    if prediction.requests:
        typer.echo(_requests(prediction))


def _on_gpus(prediction: Prediction) -> Iterator[str]:
    """What is estimated of a GPU that is not here, and how long those of one launch are held."""
    counted = prediction.work_flop
    if counted:
        hours = [_figure(A100.hours(flop)) for flop in (counted.total, counted.trainings, counted.cells)]
        yield (
            f"Estimated, not measured: about {hours[0]} GPU-hours on an {A100.name} at {100 * A100.used:.0f} % of its "
            f"{A100.peak / 1e12:.1f} TFLOP/s fp32 (trainings {hours[1]}, cells {hours[2]}), by the multiply-adds of the float "
            f"networks, 2 operations each; a training step counts as three forwards. Pictures, made on the CPU, are not in it."
        )
    if prediction.processes > 1 and prediction.device != "cpu" and prediction.work_s:
        yield _held(prediction.processes, prediction.work_s.along(prediction.processes) / 3600)
    elif prediction.processes > 1 and counted:
        yield _held(prediction.processes, A100.hours(counted.along(prediction.processes)))


def _held(processes: int, hours: float) -> str:
    """How long the GPUs of one launch are taken."""
    return (
        f"{processes} processes share the trainings, and all but the first wait during the cells: {_figure(hours)} hours of "
        f"{processes} GPUs, {_figure(processes * hours)} GPU-hours held."
    )


def _figure(hours: float) -> str:
    """Three digits: 1,230 or 4.56."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


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
