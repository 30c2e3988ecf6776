"""A grid becomes variants (networks to make) and cells (a network meets a noise), each with an id that holds all it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from bitproof.bench.grid import Grid
from bitproof.convert import Recipe
from bitproof.core import Geometry, SpecError, digest, split
from bitproof.models import Network
from bitproof.models import load as load_model
from bitproof.noises import expand, noise
from bitproof.tasks import ImageTask, Sample
from bitproof.tasks import load as load_task

#: Raised when the code of this room changes a number; part of every id.
PIPELINE = 1


@dataclass(frozen=True)
class Variant:
    """One network: task × model × recipe × training × seed. ``identity`` lists versions and digests of what it is made from."""

    task: str
    model: str
    recipe: Recipe
    seed: int
    identity: tuple[str, ...]

    @cached_property
    def id(self) -> str:
        """Twelve hex digits; equal ids mean equal networks."""
        return digest("variant", PIPELINE, self.task, self.model, self.recipe, self.seed, *self.identity)


@dataclass(frozen=True)
class Cell:
    """One variant under one noise (specs joined by ``+``), on the same samples as its siblings."""

    variant: Variant
    noise: str
    family: str
    defense: str
    limit: int | None
    held_out: int
    batch_size: int
    threads: int
    identity: tuple[str, ...]

    @cached_property
    def id(self) -> str:
        """Twelve hex digits; equal ids mean equal rows."""
        numbers = (self.limit, self.held_out, self.batch_size, self.threads)
        return digest("cell", PIPELINE, self.variant.id, self.noise, self.defense, *numbers, *self.identity)


class Plan:
    """What one grid asks for. Loads each task and float network once, and keeps them."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._samples: dict[tuple[str, int, int | None], list[Sample]] = {}
        self.threads = grid.threads or torch.get_num_threads()
        self.tasks = {spec: load_task(spec) for spec in grid.tasks}
        self.networks = {spec: self._network(spec) for spec in grid.models}
        for task in self.tasks.values():
            for network in self.networks.values():
                task.data.check_classes(network.classes)
        self.variants = tuple(self._variants())
        self.cells = tuple(self._cells())

    def _network(self, spec: str) -> Network:
        network = load_model(spec)
        changes = self.grid.geometry.model_dump(exclude_none=True)
        return replace(network, geometry=replace(network.geometry, **changes)) if changes else network

    @cached_property
    def calibrates(self) -> bool:
        """Whether any recipe needs pictures to set its ranges."""
        return any(Recipe.parse(text).bits is not None for text in self.grid.recipes)

    @cached_property
    def calibration_source(self) -> ImageTask | None:
        """The data that calibration pictures come from, or None where each task gives up some of its own."""
        spec = self.grid.calibration.data or self.grid.train
        return load_task(spec) if spec and self.calibrates else None

    @cached_property
    def train_source(self) -> ImageTask | None:
        """The training data, where a recipe is trained."""
        trained = self.grid.train and any(Recipe.parse(text).trains for text in self.grid.recipes)
        return load_task(str(self.grid.train)) if trained else None

    @cached_property
    def held_out(self) -> int:
        """How many samples of each task are calibrated on and therefore never evaluated."""
        return self.grid.calibration.n if self.calibrates and self.calibration_source is None else 0

    def samples(self, cell: Cell) -> list[Sample]:
        """The samples of a cell, equal for every variant of its task; none of them was calibrated on."""
        key = (cell.variant.task, cell.variant.seed, cell.limit)
        if key not in self._samples:
            data = self.tasks[cell.variant.task].data
            self._samples[key] = data.evaluation(cell.limit, seed=cell.variant.seed, exclude=cell.held_out)
        return self._samples[key]

    def _variants(self) -> Iterator[Variant]:
        for seed in self.grid.seeds:
            for task in self.tasks:
                for model in self.networks:
                    for text in self.grid.recipes:
                        yield self._variant(task, model, Recipe.parse(text), seed)

    def _variant(self, task: str, model: str, recipe: Recipe, seed: int) -> Variant:
        identity = [self.networks[model].digest, str(self.networks[model].geometry), f"method {recipe.version}"]
        if recipe.bits is not None:
            source = self.calibration_source or self.tasks[task]
            identity += ["calibration", str(self.grid.calibration.n), source.data.digest]
        if recipe.trains and self.grid.training is not None and self.train_source is not None:
            identity += ["training", self.grid.training.identity(), self.train_source.data.digest]
        return Variant(task, model, recipe, seed, tuple(identity))

    def _cells(self) -> Iterator[Cell]:
        """Noise by noise, so that the variants of a task meet the same pictures one after the other."""
        for task in self.tasks:
            for model, network in self.networks.items():
                variants = [v for v in self.variants if v.task == task and v.model == model]
                for spec in self._noises(task, network.geometry):
                    for variant in variants:
                        yield self._cell(variant, spec, network.geometry)

    def _noises(self, task: str, geometry: Geometry) -> list[str]:
        """The grid's noises written out, without those that are the clean occupant here. A clean cell comes first, always."""
        clean = tuple(self.tasks[task].clean(geometry).values())
        specs = [spec for text in self.grid.noises for spec in expand(text, clean=clean)]
        for spec in specs:
            self._check_fit(spec, self.tasks[task])
        return list(dict.fromkeys(["clean", *specs]))

    @staticmethod
    def _check_fit(spec: str, task: ImageTask) -> None:
        for part in parts(spec):
            if task.kind not in noise(part).kinds:
                raise SpecError(f"The noise {part!r} fits {', '.join(noise(part).kinds)} and not the task's kind {task.kind!r}.")

    def _cell(self, variant: Variant, spec: str, geometry: Geometry) -> Cell:
        family = family_of(spec)
        clean = self.tasks[variant.task].clean(geometry)
        identity = [
            f"task {self.tasks[variant.task].version}",
            self.tasks[variant.task].data.digest,
            *(f"{site}={name}" for site, name in clean.items()),
        ]
        identity += [f"{part} {noise(part).version}" for part in (*parts(spec), *clean.values())]
        grid = self.grid
        return Cell(
            variant=variant,
            noise=spec,
            family=family,
            defense="none",
            limit=grid.limit_of(family),
            held_out=self.held_out,
            batch_size=grid.batch_size,
            threads=self.threads,
            identity=tuple(identity),
        )


def parts(spec: str) -> Sequence[str]:
    """The single noises of a cell's spec; none for ``clean``."""
    return () if spec == "clean" else tuple(split(spec, "+"))


def family_of(spec: str) -> str:
    """Clean, natural, system, adversarial, or mixed where noises of several families meet."""
    families = {noise(part).family for part in parts(spec)}
    return families.pop() if len(families) == 1 else "mixed" if families else "clean"
