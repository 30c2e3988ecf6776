"""What a plan of networks will cost: the costs of its parts, summed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch

from bitproof.bench.costs import CPU, NetworkCosts, bill_of
from bitproof.bench.gpu import LONG_S, Counted, work_of
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.kind import Prediction, Price, Search
from bitproof.bench.memory import keep_freed_memory
from bitproof.bench.plan import Plan
from bitproof.bench.specs import standing
from bitproof.convert import searched
from bitproof.models import Network
from bitproof.noises import noise

#: Bytes of one row in a cell's Parquet file, and of the file itself.
ROW_BYTES, FILE_BYTES = 60, 9_000


def predict_networks(plan: Plan, before: Collection[str] = (), device: torch.device = CPU) -> Prediction:
    """Predict time and disk of a plan of networks on this machine, where nothing else runs, without what was made ``before``.

    Networks run on ``device``. Of what takes long on the CPU the multiply-adds are counted too.
    """
    keep_freed_memory()  # as the run does
    costs = NetworkCosts(plan, device)
    made = [variant for variant in plan.made if variant.id not in before]
    cells = [cell for cell in plan.cells if cell.id not in before]
    found = (fit for cell in cells if (fit := plan.fit(cell)) and fit.id not in before)
    fits = list({fit.id: fit for fit in found}.values())
    rows = sum(len(plan.samples(cell)) for cell in cells)
    weights = sum(_bytes(plan.networks[variant.model]) for variant in made if str(variant.recipe) != "fp32")
    work = work_of(costs, made, fits, cells)
    variants_s = sum(map(costs.variant_s, made)) + sum(map(costs.fit_s, fits))
    cells_s = sum(map(costs.cell_s, cells)) + costs.pictures_s(cells)
    long = device == CPU and (variants_s + cells_s) * plan.threads > LONG_S
    return Prediction(
        variants=len(made),
        trainings=sum(variant.recipe.trains for variant in made),
        cells=len(cells),
        rows=rows,
        variants_s=variants_s,
        fits=len(fits),
        cells_s=cells_s,
        disk_bytes=rows * ROW_BYTES + len(cells) * FILE_BYTES + weights,
        attacks=tuple(_prices(plan, costs)),
        searches=tuple(_searches(made, costs)),
        device=device.type,
        work_s=work,
        work_flop=work_of(Counted(costs), made, fits, cells) if long else None,
        processes=plan.grid.training.processes if plan.grid.training and any(v.recipe.trains for v in made) else 1,
    )


def _searches(made: Collection[Variant], costs: NetworkCosts) -> Iterator[Search]:
    """One price a model and recipe that chooses its ranges by the loss."""
    found: dict[tuple[str, str], list[Variant]] = {}
    for variant in made:
        found.setdefault((variant.model, str(variant.recipe)), []).append(variant)
    for (model, recipe), meant in found.items():
        if asked := searched(meant[0].recipe):
            yield Search(model, recipe, *asked, time_s=sum(map(costs.search_s, meant)))


def _prices(plan: Plan, costs: NetworkCosts) -> Iterator[Price]:
    """One price a model and attack, over all its variants and tasks."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in plan.cells:
        attack = standing(cell.noise).get("tensor")
        if attack is not None and noise(attack).family == "adversarial":
            cells.setdefault((cell.variant.model, attack), []).append(cell)
    for (model, attack), meant in cells.items():
        built = noise(attack)
        bill = bill_of(noise(getattr(built, "inner", None) or attack), plan.networks[model].classes)
        yield Price(model, attack, *bill, time_s=sum(map(costs.cell_s, meant)), most_s=sum(map(costs.most_s, meant)))


def _bytes(network: Network) -> int:
    return sum(value.numel() * value.element_size() for value in network.module.state_dict().values())
