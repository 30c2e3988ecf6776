"""A grid becomes variants (networks to make) and cells (a network meets a noise)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import torch

from bitproof.analysis import GIVEN, parted
from bitproof.bench.defending import Defending
from bitproof.bench.fits import Fit, recipes_of
from bitproof.bench.grid import Grid
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.kind import kind_of
from bitproof.bench.preprocess import preprocess_digest
from bitproof.bench.specs import check_gradient, deploys, family_of, own_facts, parts, standing
from bitproof.convert import Recipe, versions
from bitproof.core import Comparing, Form, Framing, Spec, SpecError
from bitproof.models import Endpoint, Network
from bitproof.models import load_any as load_model
from bitproof.noises import expand, noise
from bitproof.tasks import Sample, Task, load_kind
from bitproof.tasks import load_any as load_any_task
from bitproof.training import Training


class Plan:
    """What one grid asks for. Loads each task and model once, and keeps them; ``own`` are networks by name.

    What depends on the kind of input is asked of ``kind``.

    Raises SpecError, DataError or ModelError for what cannot work, before anything runs.
    """

    def __init__(self, grid: Grid, own: Mapping[str, Network] | None = None) -> None:
        self.grid = grid
        self.own = own or {}
        self._samples: dict[tuple[str, int, int | None], list[Sample]] = {}
        self.threads = grid.threads or torch.get_num_threads()
        self.tasks: dict[str, Task] = {spec: load_any_task(spec) for spec in grid.tasks}
        self.kind = kind_of(self.tasks)
        self.defending = Defending(self)
        own_way = grid.geometry.preprocess
        self.preprocess = preprocess_digest(own_way) if own_way else None
        self.models = dict(self._model(spec) for spec in grid.models)
        self._check()
        self._misfits: dict[tuple[str, str, str], str | None] = {}
        self.variants = tuple(self._variants())
        self.cells = tuple(self._cells())

    def _model(self, spec: str) -> tuple[str, Network | Endpoint]:
        """A model and what the records call it: an endpoint by its spec without what changes no answer."""
        model = self.own[spec] if spec in self.own else load_model(spec)
        changes = self.grid.geometry.model_dump(exclude_none=True)
        name = model.spec if isinstance(model, Endpoint) else spec
        if not changes:
            return name, model
        geometry = replace(model.geometry, **changes)
        return name, replace(model, form=geometry) if isinstance(model, Network) else replace(model, geometry=geometry)

    @cached_property
    def networks(self) -> dict[str, Network]:
        """The models that are networks, by name."""
        return {name: model for name, model in self.models.items() if isinstance(model, Network)}

    @cached_property
    def endpoints(self) -> dict[str, Endpoint]:
        """The models that are chat endpoints, by name."""
        return {name: model for name, model in self.models.items() if isinstance(model, Endpoint)}

    def _check(self) -> None:
        if len(self.models) < len(self.grid.models):
            raise SpecError("A model stands twice in the grid (settings that change no answer do not count); leave one out.")
        self.kind.check(self)
        self._check_train()
        self.defending.check()

    def _check_train(self) -> None:
        if self.train_source is None:
            return
        if not self.train_source.data.labelled:
            raise SpecError(f"{self.train_source.spec!r} has no labels, so nothing can be trained on it.")
        for spec, task in self.tasks.items():
            if task.data.digest == self.train_source.data.digest:
                raise SpecError(f"{spec!r} would be trained on and evaluated: train and tasks name the same data.")

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes of the grid."""
        return tuple(map(Recipe.parse, self.grid.recipes))

    @cached_property
    def control(self) -> str:
        """The recipe that a noise calls ``control``."""
        return "float" if "float" in map(str, self.recipes) else "fp32"

    @cached_property
    def helpers(self) -> tuple[Recipe, ...]:
        """Recipes that no cell is about, but whose networks a noise or a defense needs."""
        specs = [part for text in self.grid.noises for spec in expand(text) for part in parts(spec)]
        asked = [recipe for spec in specs for recipe in self._others(spec).values()] + recipes_of(self.defending.names)
        found = dict.fromkeys(recipe for recipe in asked if recipe not in self.recipes)
        for recipe in found:
            if recipe.trains and (self.grid.training is None or self.grid.train is None):
                raise SpecError(
                    f"A noise or defense needs the trained recipe {str(recipe)!r}, so the grid needs the keys training and train."
                )
        return tuple(found)

    def _others(self, spec: str) -> dict[str, Recipe]:
        """Name → recipe of the networks that the noise ``spec`` needs beside the cell's own."""
        built = noise(spec)
        names = built.others if isinstance(built, Comparing) else ()
        return {name: Recipe.parse(self.control if name == "control" else name) for name in names}

    @cached_property
    def calibration_source(self) -> Task | None:
        """The data that calibration samples come from, or None where each task gives up some of its own."""
        spec = self.grid.calibration.data or self.grid.train
        return self.like_tasks(spec) if spec and any(recipe.bits for recipe in (*self.recipes, *self.helpers)) else None

    @cached_property
    def train_source(self) -> Task | None:
        """The training data, where a recipe is trained."""
        return self.like_tasks(str(self.grid.train)) if any(recipe.trains for recipe in (*self.recipes, *self.helpers)) else None

    def like_tasks(self, spec: str) -> Task:
        """Other data of the tasks' kind."""
        found: Task = load_kind(spec, next(iter(self.tasks.values())).kind)
        return found

    def calibration_of(self, task: str) -> Task:
        """The data that the variants of ``task`` are calibrated on."""
        return self.calibration_source or self.tasks[task]

    def held_out(self, task: str) -> int:
        """How many samples of ``task`` are calibrated or fitted on and therefore never evaluated."""
        own = self.calibration_of(task).data.digest == self.tasks[task].data.digest
        calibrated = self.grid.calibration.n if own and any(recipe.bits for recipe in (*self.recipes, *self.helpers)) else 0
        return max(calibrated, self.defending.held_out(task))

    def fit(self, cell: Cell) -> Fit | None:
        """What has to be fitted for a cell's defense; None where nothing has."""
        return self.defending.fit(cell.defense, cell.variant)

    def needed(self, cell: Cell) -> tuple[Variant, ...]:
        """The networks that a cell needs beside its own: its noise's, and those that its defense is fitted on."""
        fit = self.fit(cell)
        return (*self.others(cell).values(), *(fit.variants if fit else ()))

    def others(self, cell: Cell) -> dict[str, Variant]:
        """Name → variant of the networks that a cell's noise needs beside its own."""
        found = {name: recipe for part in parts(cell.noise) for name, recipe in self._others(part).items()}
        mine = cell.variant
        return {name: self.variant(mine.task, mine.model, recipe, mine.seed) for name, recipe in found.items()}

    def training_of(self, recipe: Recipe) -> Training:
        """The settings that a recipe is trained with. Raises SpecError where the grid has none."""
        if self.grid.training is None:
            raise SpecError(f"The recipe {str(recipe)!r} is trained, so the grid needs the key training.")
        return self.grid.training.of_control() if recipe.bits is None else self.grid.training

    def teacher(self, variant: Variant) -> Variant | None:
        """The variant that is distilled from, where it is not the network as given."""
        return self._teacher(variant.task, variant.model, variant.recipe, variant.seed)

    def _teacher(self, task: str, model: str, recipe: Recipe, seed: int) -> Variant | None:
        if not recipe.trains or self.training_of(recipe).teacher != "float":
            return None
        return self.variant(task, model, Recipe.parse("float"), seed)

    @cached_property
    def made(self) -> tuple[Variant, ...]:
        """All networks to make: those of the cells, those that their noises need, and those that teach."""
        asked = [*self.variants, *(other for cell in self.cells for other in self.needed(cell))]
        return tuple(dict.fromkeys([*(t for variant in asked if (t := self.teacher(variant)) is not None), *asked]))

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
                for model in self.models:
                    for recipe in self.recipes:
                        yield self.variant(task, model, recipe, seed)

    def variant(self, task: str, model: str, recipe: Recipe, seed: int) -> Variant:
        """The variant of a model by a recipe."""
        network = self.models[model]
        identity = [network.digest, str(network.form), f"method {recipe.version}"]
        if recipe.bits is not None or recipe.trains:
            identity += [f"batch {self.grid.batch_size}", f"threads {self.threads}", *self._clean(task, network.form)]
        if recipe.bits is not None:
            identity += self._rewritten.get(model, ())
            identity += ["calibration", str(self.grid.calibration.n), self.calibration_of(task).data.digest]
        if recipe.trains and self.grid.training is not None and self.train_source is not None:
            settings = self.training_of(recipe)
            identity += ["training", settings.identity(), self.train_source.data.digest]
            for named in (settings.adversarial, settings.mix):
                identity += own_facts(named) if named else []
            if (taught := self._teacher(task, model, recipe, seed)) is not None:
                identity += ["teacher", taught.id]
        return Variant(task, model, recipe, seed, tuple(identity), self._told(model))

    @cached_property
    def _rewritten(self) -> dict[str, tuple[str, ...]]:
        """Of each network, the versions of what a recipe rewrites in it beforehand."""
        return {name: versions(network.module) for name, network in self.networks.items()}

    def _told(self, model: str) -> tuple[str, str] | None:
        """What rows call a network that came low-bit and is compared with another, or others with it; None: its own names."""
        network = self.networks.get(model)
        if network is None or network.recipe is None:
            return None
        if network.of is not None:
            return network.of, network.recipe
        control = any(other.of == model for other in self.networks.values())
        return (model, f"{GIVEN}{Spec.parse(network.recipe).values[0]}") if control else None

    def _clean(self, task: str, form: Form) -> list[str]:
        """The clean occupants of a task's sites, with their versions."""
        own = [f"preprocess {self.preprocess}"] if self.preprocess else []
        return own + [f"{site}={name} {noise(name).version}" for site, name in self.tasks[task].clean(form).items()]

    def _occupants(self, task: str, form: Form) -> tuple[str, ...]:
        """The clean noises that a family leaves out; beside a user's preprocessing the clean decoder is a noise too."""
        clean = self.tasks[task].clean(form)
        return (clean["resize"],) if self.preprocess else tuple(clean.values())

    def _cells(self) -> Iterator[Cell]:
        """Noise by noise, so that the variants of a task meet the same pictures one after the other."""
        for task in self.tasks:
            for model, network in self.models.items():
                variants = [v for v in self.variants if v.task == task and v.model == model]
                for spec in self._noises(task, network):
                    for text in self.defending.met(spec):
                        for variant in self._fitting(spec, variants):
                            yield self._cell(variant, spec, network.form, text)

    def _noises(self, task: str, network: Network | Endpoint) -> list[str]:
        """The grid's noises written out, without those that are the clean occupant here. A clean cell comes first, always.

        Where there is an attack, the evidence that it has to be read with comes before it.
        """
        clean = self._occupants(task, network.form)
        side, kind = network.form.side, self.tasks[task].kind
        asked = [expand(text, clean=clean, side=side, kind=kind) for text in self.grid.noises]
        specs = [spec for members in asked for spec in members if len(members) == 1 or self._fits(spec, task, network)]
        for spec in specs:
            self._check_fit(spec, self.tasks[task], network)
        attacked = network.differentiable and any("tensor" in standing(spec) for spec in specs)
        return list(dict.fromkeys(["clean", *(["evidence"] if attacked else []), *specs]))

    @staticmethod
    def _fitting(spec: str, variants: list[Variant]) -> list[Variant]:
        """The variants that ``spec`` fits: integers have no cell for a float one. Raises SpecError where none is left."""
        if not deploys(spec):
            return variants
        low_bit = [variant for variant in variants if variant.recipe.bits is not None]
        if not low_bit:
            found = ", ".join(dict.fromkeys(str(variant.recipe) for variant in variants))
            raise SpecError(f"The noise {spec!r} runs integers and fits low-bit recipes only, found {found}. Add one: minmax:w8a8.")
        return low_bit

    @property
    def left_out(self) -> dict[str, str]:
        """Members of families that mean nothing for a model on a task, with the reason: ``NOISE: MODEL on TASK`` → why."""
        found = {f"{part}: {model} on {task}": why for (part, task, model), why in self._misfits.items() if why}
        return found | self.defending.left_out

    def _fits(self, spec: str, task: str, network: Network | Endpoint) -> bool:
        """Whether all noises of a family's member change something for ``network`` on ``task``."""
        for part in parts(spec):
            key = (part, task, network.spec)
            if key not in self._misfits:
                self._misfits[key] = self.kind.misfit(part, self.tasks[task], network)
        return not any(self._misfits[part, task, network.spec] for part in parts(spec))

    def _check_fit(self, spec: str, task: Task, network: Network | Endpoint) -> None:
        self.kind.check_noise(spec, network)
        for part in parts(spec):
            built = noise(part)
            if task.kind not in built.kinds:
                raise SpecError(f"The noise {part!r} fits {', '.join(built.kinds)} and not the task's kind {task.kind!r}.")
            if isinstance(built, Framing):
                try:
                    built.geometry(network.geometry)
                except SpecError as error:
                    raise SpecError(f"The noise {part!r}: {error}") from None
            check_gradient(part)
            if self._others(part) and not network.differentiable:
                raise SpecError(f"{part!r} compares networks by gradients, and {network.spec!r} is a finished session without.")

    def _cell(self, variant: Variant, spec: str, form: Form, text: str) -> Cell:
        family, control = family_of(spec), parted(text)[1]
        task = self.tasks[variant.task]
        identity = [f"task {task.version}", *task.rules, task.data.digest, *self._clean(variant.task, form)]
        batch_size, threads = self.kind.pace(self)
        return Cell(
            variant=variant,
            noise=spec,
            family="evidence" if control else family,
            defense=text,
            limit=self.grid.limit_of(family, control=bool(control)),
            held_out=self.held_out(variant.task),
            batch_size=batch_size,
            threads=threads,
            identity=(
                *identity,
                *(fact for part in parts(spec) for fact in self._facts(part, variant)),
                *self.defending.facts(text, variant),
            ),
        )

    def _facts(self, part: str, variant: Variant) -> Iterator[str]:
        """What the numbers of one noise depend on beside its spec."""
        yield from own_facts(part)
        for name, recipe in self._others(part).items():
            yield f"{name} {self.variant(variant.task, variant.model, recipe, variant.seed).id}"
        if inner := getattr(noise(part), "inner", None):
            yield from self._facts(inner, variant)
