"""What a cell's spec says: its single noises, where they stand, and what their numbers depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bitproof.core import Gradient, SpecError, split
from bitproof.export import engine
from bitproof.noises import noise
from bitproof.quantizers import BACKWARDS


def parts(spec: str) -> Sequence[str]:
    """The single noises of a cell's spec; none for ``clean``."""
    return () if spec == "clean" else tuple(split(spec, "+"))


def standing(spec: str) -> dict[str, str]:
    """Site → the noise that a cell's spec puts there."""
    return {noise(part).site: part for part in parts(spec)}


def on_samples(spec: str) -> tuple[str, ...]:
    """The noises of a cell's spec that change a sample before it becomes a tensor."""
    return tuple(part for site, part in standing(spec).items() if site not in ("tensor", "model"))


def is_attacked(spec: str) -> bool:
    """Whether something stands at the site ``tensor``."""
    return "tensor" in standing(spec)


def family_of(spec: str) -> str:
    """Clean, natural, perturbation, system, field, adversarial, evidence, or mixed where noises of several families meet."""
    families = {noise(part).family for part in parts(spec)}
    return families.pop() if len(families) == 1 else "mixed" if families else "clean"


def deploys(spec: str) -> bool:
    """Whether a cell's spec puts the network into an engine of integers."""
    at_model = standing(spec).get("model")
    return at_model is not None and noise(at_model).needs == "deploy"


def own_facts(part: str) -> Iterator[str]:
    """The versions of a noise, of the engine that it runs on, and of the backward that it takes its gradient through.

    Of a noise that reads a file, that file's print too. Raises DataError where it cannot be read.
    """
    built = noise(part)
    yield f"{part} {built.version}"
    if found := getattr(built, "data_digest", None):
        yield f"data {found}"
    yield from _engine(part)
    if name := _backward(built):
        yield f"backward {name} {BACKWARDS.load(name).version}"


def check_gradient(part: str) -> None:
    """Refuse a backward that a grid cannot name, and an attack inside another one that does not exist."""
    built = noise(part)
    if getattr(built, "grad", "") == "bpda":
        raise SpecError(f"{part!r}: a grid names its backward, for example grad=bpda:decay; 'bitproof list backwards' shows all.")
    if name := _backward(built):
        BACKWARDS.load(name)
    if inner := getattr(built, "inner", None):
        check_gradient(inner)


def _engine(spec: str) -> list[str]:
    """What the numbers of an engine of integers depend on here. Raises MissingExtra where there is no engine."""
    return [f"exact sums {engine().exact}"] if deploys(spec) else []


def _backward(built: Any) -> str:
    """The registered backward that an attack takes its gradient through, or nothing."""
    return Gradient.parse(built.grad).name if hasattr(built, "grad") else ""
