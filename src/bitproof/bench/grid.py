"""The grid file: one request, validated word by word, with the offending line in every error."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from bitproof.bench.adversary import mixed_into, trained_against
from bitproof.convert import Recipe
from bitproof.core import BitproofError, Spec, SpecError
from bitproof.defenses import canonical as known_defense
from bitproof.models import check_spec
from bitproof.noises import expand, noise
from bitproof.training import Training

Positive = Annotated[int, Field(ge=1)]


class Calibration(BaseModel):
    """Where the pictures that set the ranges come from: ``data``, else ``train``, else held out of the task's own data."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    n: Positive = 256
    data: str | None = None


class GeometryOverride(BaseModel):
    """What the grid changes of every model's own input geometry (px)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: Positive | None = None
    resize: Positive | None = None
    mode: Literal["shorter", "square"] | None = None
    interpolation: str | None = None
    preprocess: Annotated[
        str | None, Field(description="python:FILE.py#FUNCTION, bytes of a file → uint8 S×S×3, instead of decoder and resizer")
    ] = None

    @field_validator("interpolation")
    @classmethod
    def _resizes(cls, name: str | None) -> str | None:
        try:
            site = "resize" if name is None else noise(name).site
        except BitproofError as error:
            raise ValueError(str(error)) from None
        if site != "resize":
            raise ValueError(f"{name!r} stands at the site {site!r}; an interpolation is one of 'pil-…', 'cv-…' or 'torch-…'")
        return name


class Limits(BaseModel):
    """How many samples a cell takes, a family of noise; None means all. One number stands for all families."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    clean: Positive | None = None
    natural: Positive | None = None
    perturbation: Positive | None = None
    system: Positive | None = None
    field: Positive | None = None
    adversarial: Positive | None = None
    mixed: Positive | None = None
    controls: Annotated[Positive | None, Field(description="samples of a defense's control, never more than of its family")] = None


def _spread(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if value < 1:
        raise ValueError(f"a limit is 1 or more, found {value}")
    return dict.fromkeys(Limits.model_fields, value)


class Grid(BaseModel):
    """Every task × model × recipe × seed, each put through every noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tasks: Annotated[tuple[str, ...], Field(min_length=1, description="[task/]source:where, imagenet:/data/val, vqa/pack:embedded")]
    models: Annotated[
        tuple[str, ...], Field(min_length=1, description="timm/NAME, python:FILE.py#factory,…, onnx:FILE, chat:URL#MODEL")
    ]
    recipes: Annotated[tuple[str, ...], Field(min_length=1, description="fp32, float, METHOD:wNaM")] = ("fp32",)
    noises: Annotated[tuple[str, ...], Field(min_length=1, description="clean, a family, or specs joined by +")] = ("clean",)
    train: Annotated[str | None, Field(description="data for training, and for calibration unless that names its own")] = None
    calibration: Calibration = Calibration()
    training: Training | None = None
    defenses: Annotated[
        tuple[str, ...], Field(min_length=1, description="none, or 'bitproof list defenses': defensive-patch:on=float")
    ] = ("none",)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    limit: Annotated[
        Limits,
        BeforeValidator(_spread, json_schema_input_type=Positive | Limits),
        Field(description="samples a cell: one number, or one a family"),
    ] = Limits()
    batch_size: Positive = 32
    threads: Annotated[Positive | None, Field(description="CPU threads of a forward; part of every cell's id")] = None
    geometry: GeometryOverride = GeometryOverride()
    cache_mb: Annotated[
        int, Field(ge=0, description="memory for pictures that cells share, at the size of the input; 0 keeps none")
    ] = 1024

    @field_validator("training", mode="wrap")
    @classmethod
    def _training(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            training = validate(value)
            if training is None:
                return training
            specs = {"adversarial": trained_against, "mix": mixed_into}
            given = {name: of(text) for name, of in specs.items() if (text := getattr(training, name)) is not None}
            return replace(training, **given)
        except BitproofError as error:
            raise ValueError(str(error)) from None

    @field_validator("recipes")
    @classmethod
    def _recipes(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return _each(texts, lambda text: str(Recipe.parse(text)))

    @field_validator("noises")
    @classmethod
    def _noises(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return _each(texts, _known)

    @field_validator("defenses")
    @classmethod
    def _defenses(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return _each(texts, known_defense)

    @field_validator("tasks")
    @classmethod
    def _tasks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return _each(texts, lambda text: str(Spec.parse(text)))

    @field_validator("models")
    @classmethod
    def _models(cls, texts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        own = info.context or ()
        return _each(texts, lambda text: text if text in own else check_spec(text))

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, seeds: Any) -> Any:
        if isinstance(seeds, list) and (len(set(map(str, seeds))) < len(seeds) or any(isinstance(s, bool) for s in seeds)):
            raise ValueError(f"seeds are different whole numbers, found {seeds}")
        return seeds

    @model_validator(mode="after")
    def _trainable(self) -> Grid:
        trained = [text for text in self.recipes if Recipe.parse(text).trains]
        if trained and (self.training is None or self.train is None):
            missing = "training: {epochs: …, lr: …}" if self.training is None else "train: DATA"
            raise ValueError(f"recipe {trained[0]!r} is trained, so the grid needs the key {missing}")
        return self

    def limit_of(self, family: str, control: bool = False) -> int | None:
        """How many samples a cell of ``family`` takes; None means all. Evidence is taken of those that are attacked.

        ``control``: whether it is a defense's control, which has a limit of its own beside.
        """
        limit: int | None = getattr(self.limit, "adversarial" if family == "evidence" else family)
        most = self.limit.controls if control else None
        return limit if most is None else most if limit is None else min(limit, most)


def _each(texts: tuple[str, ...], read: Any) -> tuple[str, ...]:
    """Apply ``read`` to each text; the first that fails is named. Repeats are refused: they would be one cell twice."""
    seen: list[str] = []
    for position, text in enumerate(texts):
        try:
            canonical = read(text)
        except BitproofError as error:
            raise _At(position, str(error)) from None
        if canonical in seen:
            raise _At(position, f"{canonical!r} is listed twice")
        seen.append(canonical)
    return tuple(seen)


def _known(noises: str) -> str:
    """Return a family as it is written, and a noise in its canonical form."""
    specs = expand(noises)
    return specs[0] if len(specs) == 1 else noises


class _At(ValueError):
    """A fact about the entry at ``position`` of a list."""

    def __init__(self, position: int, fact: str) -> None:
        super().__init__(fact)
        self.position = position


def read_grid(path: Path) -> str:
    """Return the text of a grid file. Raises SpecError naming it."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"The grid {str(path)!r} cannot be read: {error}.") from None


def load_grids(path: Path) -> list[Grid]:
    """Read a grid file; each YAML document of it is one grid. Raises SpecError naming file, line and field."""
    return parse_grids(read_grid(path), str(path))


def parse_grids(text: str, source: str = "grid", own: Collection[str] = ()) -> list[Grid]:
    """Validate the text of a grid file. Raises SpecError naming ``source``, line and field.

    ``own`` are names of models that the caller brings itself.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise SpecError(f"{source}: YAML aliases (*name) are not allowed in a grid; write the value out.")
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
        values = [value for value in yaml.safe_load_all(text) if value is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise SpecError(f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}.") from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{source}: not valid YAML: {error}.") from None
    if not values:
        raise SpecError(f"{source} holds no grid. It needs at least the keys tasks and models; 'bitproof schema' prints them all.")
    return [_validate(value, _lines(node, source), source, own) for value, node in zip(values, nodes, strict=True)]


def _validate(value: Any, lines: dict[tuple[Any, ...], int], source: str, own: Collection[str]) -> Grid:
    if not isinstance(value, dict):
        raise SpecError(
            f"{source} line {lines[()]}: a grid is a mapping of keys such as tasks and models, found {type(value).__name__}."
        )
    try:
        return Grid.model_validate(value, context=own)
    except ValidationError as error:
        facts = [_fact(item, lines, source) for item in error.errors()]
        raise SpecError("\n".join(dict.fromkeys(facts))) from None


def _fact(item: Any, lines: dict[tuple[Any, ...], int], source: str) -> str:
    location, cause = tuple(item["loc"]), item.get("ctx", {}).get("error")
    if isinstance(cause, _At):
        location = (*location, cause.position)
    place = location
    while place not in lines:
        place = place[:-1]
    return f"{source} line {lines[place]}, {'.'.join(map(str, location)) or 'grid'}: {_message(item, location, cause)}"


def _message(item: Any, location: tuple[Any, ...], cause: Any) -> str:
    if cause is not None:
        return str(cause)
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches(str(location[-1]), _allowed(location), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"unknown key.{hint} Allowed here: {', '.join(_allowed(location))}."
    if item["type"] == "missing":
        return "this key is needed."
    message = str(item["msg"]).replace("valid tuple", "list in brackets").replace("Input should", "should")
    return f"{message}, found {json.dumps(item['input'], default=str)}"


def _allowed(location: tuple[Any, ...]) -> list[str]:
    """The keys that may stand where ``location`` ends."""
    model: Any = Grid
    for key in location[:-1]:
        model = {"calibration": Calibration, "geometry": GeometryOverride, "limit": Limits, "training": Training}.get(key, model)
    return list(model.model_fields if hasattr(model, "model_fields") else model.__dataclass_fields__)


def _lines(node: yaml.Node, source: str, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], int]:
    """Map each key path of a YAML node to its line; a key written twice is refused, since YAML would keep the last."""
    lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if (*path, key.value) in lines:
                raise SpecError(f"{source} line {key.start_mark.line + 1}: the key {key.value!r} stands twice.")
            lines |= _lines(child, source, (*path, key.value))
            lines[(*path, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            lines |= _lines(child, source, (*path, i))
    return lines


def schema() -> dict[str, Any]:
    """The JSON schema of a grid, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Grid.model_json_schema()}
