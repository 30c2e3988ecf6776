"""What each layer costs when it alone is low-bit, on clean pictures and under noise, and what a size allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitproof.analysis import accuracies, drops
from bitproof.bench.ahead import batches
from bitproof.bench.cache import SampleCache
from bitproof.bench.inputs import inputs_of
from bitproof.bench.lowbit import calibration_batches
from bitproof.bench.pictures import finite
from bitproof.bench.reporter import Reporter, Silent
from bitproof.bench.specs import on_samples, standing
from bitproof.bench.variants import as_evaluated
from bitproof.convert import (
    Converted,
    Recipe,
    Switch,
    Switched,
    check_budget,
    chosen,
    keeping,
    kept_recipe,
    quantize,
    switches,
    with_own,
)
from bitproof.core import ModelError, SpecError
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.noises import expand
from bitproof.tasks import Sample, Scored
from bitproof.tasks import load_kind as load_task

_BATCH = 50

#: Samples×noises: whether each is right, and its cross-entropy in nats.
Outcomes = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Score:
    """One network under one noise: accuracy and its drop below the kept network, %, each with its 95 % interval, paired by sample.

    ``loss_rise``: mean cross-entropy above the kept network's, nats.
    """

    noise: str
    n: int
    accuracy: float
    low: float
    high: float
    drop: float
    drop_low: float
    drop_high: float
    loss_rise: float


@dataclass(frozen=True)
class Measured:
    """A network and the recipe that makes it; ``kind``: float, kept, low, layer, suggested.

    ``bits`` are those of the ``layer`` that alone is low-bit, or else of the layers of which the recipe says nothing special.
    ``fresh``: measured on pictures that nothing was chosen on.
    """

    kind: str
    layer: str
    bits: str
    recipe: str
    size_bytes: int
    saved_bytes: int
    scores: tuple[Score, ...]
    fresh: bool = False


@dataclass(frozen=True)
class Sensitivity:
    """All networks that were measured: float, kept, low, then layer by layer, and last the suggested one, if a size was given.

    Where the data has as many pictures more, float, kept, low and suggested follow once again, on those.
    """

    model: str
    task: str
    networks: tuple[Measured, ...]

    def of(self, kind: str, fresh: bool = False) -> list[Measured]:
        """Return the networks of one kind, on the pictures that layers were measured on or on ``fresh`` ones."""
        return [network for network in self.networks if (network.kind, network.fresh) == (kind, fresh)]

    def frame(self) -> pl.DataFrame:
        """Return one row a network and noise."""
        shared = [(one, score) for one in self.networks for score in one.scores]
        rows = [{**{k: v for k, v in vars(one).items() if k != "scores"}, **vars(score)} for one, score in shared]
        return pl.DataFrame(rows).with_columns(pl.lit(self.model).alias("model"), pl.lit(self.task).alias("task"))


def sensitivity(
    model: str,
    recipe: str,
    task: str,
    noises: Sequence[str] | None = None,
    *,
    limit: int = 500,
    n: int = 256,
    calibration: str | None = None,
    max_mb: float | None = None,
    tell: Reporter | None = None,
) -> Sensitivity:
    """Measure each layer that ``recipe`` makes low-bit alone, all others at 8 bits, on ``limit`` pictures of ``task``.

    Clean, and under ``noises``; where none is given under the ``usual`` one of the kind of input, ``gaussian_noise:3`` of pictures.
    ``n`` pictures of ``calibration`` set the ranges, of the task's own held-out end where it is not given. With ``max_mb`` (10⁶
    bytes) the layers worth keeping at 8 bits are chosen by the rise of the loss a byte, its mean over clean and noisy pictures,
    since accuracy moves in steps of a picture; that network is made from its recipe and measured on the same pictures, then, with
    those that it is compared with, on as many others, if the data has them.
    Raises SpecError for a recipe that is trained or has nothing to keep, a noise that is not on pictures and a size that is too
    small, DataError for too few pictures, ModelError for a session and where no layer can be switched.
    """
    asked = Recipe.parse(recipe)
    kept = kept_recipe(asked)
    specs = None if noises is None else _noises(noises)
    network = load_model(model)
    if specs is None:
        specs = _noises([inputs_of(network.form).usual])
    bench = _Bench(network, load_task(task, network.form.kind), specs, limit, n, calibration, tell or Silent())
    return Sensitivity(model, task, tuple(_measure(bench, asked, kept, max_mb)))


def _noises(noises: Sequence[str]) -> list[str]:
    specs = list(dict.fromkeys(["clean", *(spec for text in noises for spec in expand(text))]))
    for spec in specs:
        if {"tensor", "model"} & set(standing(spec)):
            raise SpecError(f"{spec!r} is no noise on samples; layers are measured under those alone, such as fog:3.")
    return specs


def _measure(bench: _Bench, asked: Recipe, kept: Recipe, max_mb: float | None) -> Iterator[Measured]:
    """Refuse a size that no choice can meet; then measure, choose, and measure what was chosen."""
    low, high = bench.quantized(asked), bench.quantized(kept)
    found, known = switches(low.report, high.report), [layer.name for layer in low.report.layers]
    if not found or found[0].name == "":
        raise ModelError(
            f"{bench.network.spec!r}: {str(asked)!r} has no layer of its own to switch. Type for example first=same,last=same."
        )
    budget = None if max_mb is None else int(max_mb * 1e6)
    if budget is not None:
        check_budget(low.report.size_bytes, budget)
    outcomes = bench.switched(low, high, found)
    size = high.report.size_bytes
    yield bench.scored(outcomes["float"], "float", Recipe("fp32"), high.report.float_bytes, size)
    yield bench.scored(outcomes["kept"], "kept", kept, size, size)
    yield bench.scored(outcomes["low"], "low", asked, low.report.size_bytes, size)
    for each in found:
        alone = with_own(kept, [each.name], each.bits, known)
        yield bench.scored(outcomes["layer " + each.name], "layer", alone, size - each.saved_bytes, size, each)
    if budget is not None:
        gains = {each.name: bench.rise(outcomes["layer " + each.name]) for each in found}
        recipe = keeping(asked, chosen(found, gains, budget - low.report.size_bytes), known)
        yield from bench.suggested(recipe, found, [high.report.float_bytes, size, low.report.size_bytes], [kept, asked])


class _Bench:
    """A network, its pictures under every noise, and the outcomes of the kept network, which all others are compared with."""

    def __init__(
        self, network: Network, task: Scored, noises: list[str], limit: int, n: int, calibration: str | None, tell: Reporter
    ) -> None:
        if network.finished:
            raise ModelError(f"{network.spec!r} is finished and cannot be made low-bit. Give the network it was made from.")
        source = task if calibration is None else load_task(calibration, network.form.kind)
        task.data.check_classes(network.classes)
        held_out = n if source.data.digest == task.data.digest else 0
        self.samples = task.data.evaluation(limit, 0, held_out)
        enough = len(task.data) - held_out >= 2 * limit
        self.fresh = task.data.evaluation(2 * limit, 0, held_out)[limit:] if enough else []
        self.network, self.task, self.noises, self.tell = network, task, noises, tell
        self._calibration = calibration_batches(network, source, n)
        self._cache = SampleCache()
        self._control: Outcomes
        self._layers: Switched

    def quantized(self, recipe: Recipe) -> Converted:
        return quantize(self.network.module, recipe, self._calibration)

    def switched(self, low: Converted, high: Converted, found: Sequence[Switch]) -> dict[str, Outcomes]:
        """Return the outcomes of every network: each batch of pictures is made once, and shown to all."""
        self._layers = Switched(self._evaluated(high.model), self._evaluated(low.model))
        names = {**self._all(found), **{"layer " + each.name: [each.name] for each in found}}
        return self._of(names, self.samples)

    def _all(self, found: Sequence[Switch]) -> dict[str, list[str]]:
        return {"kept": [], "low": [each.name for each in found]}

    def _of(self, names: Mapping[str, list[str]], samples: list[Sample], **others: nn.Module) -> dict[str, Outcomes]:
        """The outcomes of the float network, of those with the layers ``names`` low-bit, and of ``others``; kept is the control."""
        others = {"float": self._evaluated(self.network.module), **others}

        def network(key: str) -> nn.Module:
            if key in others:
                return others[key]
            self._layers.set_(names[key])
            return self._layers.model

        outcomes = self._outcomes([*others, *names], network, samples)
        self._control = outcomes["kept"]
        return outcomes

    def suggested(
        self, recipe: Recipe, found: Sequence[Switch], sizes: Sequence[int], recipes: Sequence[Recipe]
    ) -> Iterator[Measured]:
        """Make and measure what ``recipe`` says, as anyone would who types it; then beside float, kept and low on fresh pictures.

        ``sizes`` in bytes: of float, kept and low; ``recipes``: of kept and low.
        """
        converted = self.quantized(recipe)
        module = self._evaluated(converted.model)
        outcomes = self._outcomes(["suggested"], lambda key: module, self.samples)
        yield self.scored(outcomes["suggested"], "suggested", recipe, converted.report.size_bytes, sizes[1])
        if not self.fresh:
            return
        outcomes = self._of(self._all(found), self.fresh, suggested=module)
        made = zip(("float", "kept", "low", "suggested"), (Recipe("fp32"), *recipes, recipe), strict=True)
        for (kind, each), size in zip(made, (*sizes, converted.report.size_bytes), strict=True):
            yield replace(self.scored(outcomes[kind], kind, each, size, sizes[1]), fresh=True)

    def rise(self, outcomes: Outcomes) -> float:
        """Mean rise of the loss over all noises."""
        return float((outcomes[1] - self._control[1]).mean())

    def scored(
        self, outcomes: Outcomes, kind: str, recipe: Recipe, size_bytes: int, kept_bytes: int, layer: Switch | None = None
    ) -> Measured:
        """Return the figures of one network under every noise."""
        (correct, loss), (control, control_loss) = outcomes, self._control
        levels, below, rises = accuracies(correct), drops(correct, control), (loss - control_loss).mean(axis=0)
        figures = zip(self.noises, *levels[:3], *below[:3], rises, strict=True)
        scores = tuple(Score(spec, len(correct), *map(float, numbers)) for spec, *numbers in figures)
        name, bits = (layer.name, layer.bits) if layer else ("", recipe.bits)
        width = f"w{bits[0]}a{bits[1]}" if bits else "float"
        return Measured(kind, name, width, str(recipe), size_bytes, kept_bytes - size_bytes, scores)

    def _evaluated(self, module: nn.Module) -> nn.Module:
        return as_evaluated(self.network, module).module

    def _outcomes(self, keys: Sequence[str], network: Callable[[str], nn.Module], samples: list[Sample]) -> dict[str, Outcomes]:
        self.tell.begin(len(keys) * len(self.noises) * len(samples))
        columns = [self._under(spec, keys, network, samples) for spec in self.noises]
        return {
            key: (np.stack([c[key][0] for c in columns], axis=1), np.stack([c[key][1] for c in columns], axis=1)) for key in keys
        }

    def _under(
        self, spec: str, keys: Sequence[str], network: Callable[[str], nn.Module], samples: list[Sample]
    ) -> Mapping[str, Outcomes]:
        form = self.network.form
        pipeline = inputs_of(form).pipeline(self.task, form, on_samples(spec), 0, self._cache)
        parts: dict[str, list[Outcomes]] = {key: [] for key in keys}
        for chunk, x in batches(pipeline, samples, _BATCH, torch.get_num_threads()):
            for key in keys:
                self.tell.say(f"{spec}: {key}")
                parts[key].append(self._batch(network(key), chunk, x))
                self.tell.advance(len(chunk))
        return {key: (np.concatenate([a for a, _ in p]), np.concatenate([b for _, b in p])) for key, p in parts.items()}

    def _batch(self, module: nn.Module, chunk: list[Sample], x: Tensor) -> Outcomes:
        with torch.inference_mode():
            logits = finite(module(x).float(), chunk)
        scores = self.task.score_batch(logits.numpy(), [sample.label for sample in chunk])
        return np.array([score["correct"] for score in scores]), np.array([score["loss"] for score in scores])
