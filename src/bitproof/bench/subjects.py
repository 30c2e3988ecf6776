"""The one network that a verb is about: made now from a model and a recipe, or taken out of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bitproof.bench.cache import SampleCache
from bitproof.bench.grid import parse_grids
from bitproof.bench.ids import Variant
from bitproof.bench.lowbit import low_bit
from bitproof.bench.plan import Plan
from bitproof.bench.variants import Variants
from bitproof.convert import Recipe, insert
from bitproof.core import SpecError, StoreError
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.results import Store
from bitproof.tasks import Sample, Task
from bitproof.tasks import load_kind as load_task


@dataclass(frozen=True)
class Subject:
    """A network and what belongs to it.

    ``network``: the float one it was made from, with its geometry. ``module``: the variant. ``left_float``: layers that the
    recipe left float, with the reason. ``task``: where samples come from, None where none are known; ``held_out``: how many
    of them it was calibrated on.
    """

    network: Network
    recipe: str
    module: nn.Module
    left_float: Mapping[str, str]
    task: Task | None = None
    held_out: int = 0
    seed: int = 0

    def samples(self, limit: int) -> list[Sample]:
        """Return the first ``limit`` samples that it was not calibrated on, or all if there are fewer."""
        if self.task is None:
            return []
        return self.task.data.evaluation(None, self.seed, self.held_out)[:limit]


def subject(what: str, recipe: str | None, calibration: str | None, n: int, data: str | None) -> Subject:
    """Return the network that ``what`` and ``recipe`` name.

    ``what`` is a results directory, and ``recipe`` a recipe of it or the first digits of a variant's id; or a model, and
    ``recipe`` is made of it now, calibrated on ``n`` samples of ``calibration``. ``data``: other samples to look at.
    Raises SpecError where it is not clear which network is meant, StoreError where a run has none.
    """
    if Path(what).is_dir():
        found = _out_of_run(Path(what), recipe)
    elif recipe is None:
        raise SpecError(
            f"{what!r} is no results directory, so it is a model and needs a recipe. Type for example: {what} minmax:w8a8"
        )
    else:
        found = _made_now(what, recipe, calibration, n)
    if data is None:
        return found
    task = load_task(data, found.network.form.kind)
    own = found.task is not None and found.task.data.digest == task.data.digest
    return Subject(found.network, found.recipe, found.module, found.left_float, task, found.held_out if own else 0, found.seed)


def _made_now(model: str, text: str, calibration: str | None, n: int) -> Subject:
    recipe = Recipe.parse(text)
    if recipe.bits is None:
        network = load_model(model)
        if network.finished:
            raise SpecError(f"{model!r} is finished already; there is nothing to export.")
        return Subject(network, text, insert(network.module, recipe).model, {})
    if calibration is None:
        raise SpecError(f"The recipe {text!r} needs samples that set its ranges. Type for example --calibration photos")
    network, task, converted = low_bit(model, recipe, calibration, n)
    left = {layer.name: layer.reason for layer in converted.report.layers if not layer.changed}
    return Subject(network, str(recipe), converted.model, left, task, n)


def _out_of_run(path: Path, asked: str | None) -> Subject:
    store = Store.open(path)
    found = {variant.id: (variants, variant) for variants, variant in on_disk(store) if _is_asked(variant, asked)}
    if not found:
        wanted = f"variant {asked!r}" if asked else "variant"
        raise StoreError(
            f"{str(path)!r} has no {wanted} whose weights are there. 'bitproof results {path} --what variants' lists them."
        )
    if len(found) > 1:
        known = ", ".join(f"{key} ({v.model} {v.recipe} seed {v.seed})" for key, (_, v) in found.items())
        raise SpecError(f"{str(path)!r} has several variants; name one by its recipe or the first digits of its id: {known}.")
    ((variants, variant),) = found.values()
    plan = variants.plan
    network = plan.networks[variant.model]
    if network.finished:
        raise SpecError(f"{variant.model!r} is finished already; there is nothing to export.")
    layers = store.reports()[variant.id]["layers"]
    left = {layer["name"]: layer["reason"] for layer in layers if not layer["changed"]}
    module = variants.victim(variant).module
    task, held_out = plan.tasks[variant.task], plan.held_out(variant.task)
    return Subject(network, str(variant.recipe), module, left, task, held_out, variant.seed)


def on_disk(store: Store) -> Iterator[tuple[Variants, Variant]]:
    """The variants of every request of a run that are on disk."""
    for text in [store.grid(), *store.grids()]:
        for grid in parse_grids(text, str(store.path)):
            variants = Variants(Plan(grid), store, SampleCache(), lambda variant, share, what: None)
            yield from ((variants, variant) for variant in variants.plan.variants if variants.made(variant))


def _is_asked(variant: Variant, asked: str | None) -> bool:
    return asked is None or str(variant.recipe) == asked or variant.id.startswith(asked)
