"""What a defense of a cell is: its spec, the networks that it is fitted on, and an id that holds all it depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bitproof.analysis import parted
from bitproof.bench.ids import PIPELINE, Variant
from bitproof.bench.specs import own_facts, parts, standing
from bitproof.convert import Recipe
from bitproof.core import Spec, SpecError, digest
from bitproof.defenses import defense
from bitproof.noises import expand
from bitproof.tasks import Sample, Task

if TYPE_CHECKING:
    from bitproof.bench.plan import Plan


@dataclass(frozen=True)
class Fit:
    """One defense, fitted once: on ``variants``, for the classes ``labels``, on ``n`` pictures of ``source`` under ``noises``."""

    spec: str
    task: str
    model: str
    seed: int
    variants: tuple[Variant, ...]
    labels: tuple[int, ...]
    n: int
    source: str
    noises: tuple[str, ...]
    identity: tuple[str, ...]

    @cached_property
    def id(self) -> str:
        """Twelve hex digits; equal ids mean equal patches."""
        networks = [variant.id for variant in self.variants]
        return digest("defense", PIPELINE, self.spec, self.seed, self.labels, self.n, self.noises, *networks, *self.identity)


def fitted_as(text: str) -> str:
    """The defense of a cell as it is fitted: without its control, where it stands, and whether it is told the class."""
    spec = Spec.parse(text)
    return str(Spec(spec.name, tuple(item for item in spec.items if item[0] not in ("control", "at", "label"))))


def with_control(text: str, control: str) -> str:
    """The other way round."""
    spec = Spec.parse(text)
    return str(Spec(spec.name, (*spec.items, ("control", control))))


def at_model(text: str) -> bool:
    """Whether the defense of a cell changes the network."""
    return text != "none" and defense(parted(text)[0]).site == "model"


def knows_label(text: str) -> bool:
    """Whether the defense of a cell is told the class."""
    return text != "none" and bool(defense(parted(text)[0]).knows_label)


def tried(text: str) -> bool:
    """Whether the defense of a cell shows its network the patch of each class in turn."""
    return text != "none" and bool(defense(parted(text)[0]).fitted) and not knows_label(text)


def recipes_of(texts: tuple[str, ...]) -> list[Recipe]:
    """The recipes that defenses name to be fitted on."""
    built = [defense(text) for text in texts if text != "none"]
    names = [name for each in built if each.fitted for name in each.on.split("+") if name != "own"]
    return [Recipe.parse(name) for name in dict.fromkeys(names)]


def pictures_of(text: str) -> int:
    """How many pictures a defense is fitted on."""
    if text == "none":
        return 0
    built = defense(text)
    return int(getattr(built, "pictures", built.n if built.site == "model" else 0))


def fit_of(plan: Plan, text: str, variant: Variant) -> Fit | None:
    """Return what has to be fitted for a cell of ``variant`` behind ``text``; None where nothing has.

    Raises SpecError for models and data that do not fit.
    """
    spec = parted(text)[0]
    built = defense(spec)
    if not built.fitted and built.site == "image":
        return None
    geometry = plan.networks[variant.model].geometry
    if built.fitted:
        built.mask(geometry.size)  # refuses what does not fit
    networks = tuple(_networks(plan, built, spec, variant)) if built.fitted else (variant,)
    source, n = plan.defending.source(variant.task), pictures_of(spec)
    if n:
        _check_source(source, n, built, spec)
    noises = _noises(built.noise, spec) if built.site == "model" else ()
    return Fit(
        spec=fitted_as(spec),
        task=variant.task,
        model=variant.model,
        seed=variant.seed,
        variants=networks,
        labels=plan.defending.labels(variant.task, variant.seed) if built.fitted else (),
        n=n,
        source=source.spec,
        noises=noises,
        identity=(
            *(f"defense {built.version}", f"size {geometry.size}", f"threads {plan.threads}"),
            *([source.data.digest, str(geometry), f"batch {plan.grid.batch_size}"] if n else []),
            *(fact for noise in noises for part in parts(noise) for fact in own_facts(part)),
        ),
    )


def _networks(plan: Plan, built: Any, spec: str, variant: Variant) -> Iterator[Variant]:
    """The variants that a defense names, of the cell's task and seed."""
    size = plan.networks[variant.model].geometry.size
    for model in _models(plan, built.models, spec, variant.model):
        network = plan.networks[model]
        if network.geometry.size != size:
            raise SpecError(
                f"{spec!r} is fitted on {model!r} at {network.geometry.size} px and applied to {variant.model!r} at {size} px. "
                "Give these models grids of their own, or one size: geometry: {size: …}."
            )
        if not network.differentiable:
            raise SpecError(
                f"{spec!r} is fitted by gradients and {model!r} is a finished session without. Type models=… for others."
            )
        for name in built.on.split("+"):
            yield plan.variant(variant.task, model, variant.recipe if name == "own" else Recipe.parse(name), variant.seed)


def _models(plan: Plan, text: str, spec: str, own: str) -> Iterator[str]:
    for name in text.split("+"):
        found = [own] if name == "own" else [model for model in plan.networks if name in (model, model.partition(":")[0])]
        if len(found) != 1:
            known = ", ".join(dict.fromkeys(model.partition(":")[0] for model in plan.networks))
            raise SpecError(f"{spec!r} names the model {name!r}, which is {len(found) or 'none'} of the grid's: own, {known}.")
        yield found[0]


def _noises(text: str, spec: str) -> tuple[str, ...]:
    """The members of a noise that pictures can be put through. Raises SpecError for one on the network or against it."""
    found = tuple(expand(text))
    wrong = next((each for each in found if set(standing(each)) & {"tensor", "model"}), None)
    if wrong:
        raise SpecError(f"{spec!r} takes pictures under a noise, and {wrong!r} stands on no picture. Type for example noise=fog:3.")
    return found


def _check_source(source: Task, n: int, built: Any, spec: str) -> None:
    if built.fitted and not source.data.labelled:
        raise SpecError(f"{spec!r} needs labelled pictures and {source.spec!r} has no labels. Name others by the key train.")
    if n > len(source.data):
        raise SpecError(
            f"{spec!r} asks for n={n} pictures and {source.spec!r} holds {len(source.data)}. Type n={len(source.data)}."
        )


def fitting_samples(plan: Plan, fit: Fit) -> list[Sample]:
    """The pictures of a fit: the end of the order, where calibration takes its own, never one that is evaluated."""
    return plan.defending.source(fit.task).data.calibration(fit.n, seed=fit.seed) if fit.n else []
