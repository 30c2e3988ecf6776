"""The settings of a training: every number that decides what comes out, and few that do not."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from bitproof.core import SpecError
from bitproof.training.matching import matching

#: Fields that change when a result arrives, not which one: no part of ``identity``.
RUN_TIME = frozenset({"checkpoint_every_s"})

#: Fields that came later: at their default they are left out of ``identity``, so that trainings from before keep theirs.
LATER = frozenset(
    {"adversarial", "decay", "depths", "jitter", "match", "milestones", "mix", "processes", "start", "teacher", "teacher_lr"}
    | {"trades", "two_stage"}
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained; ``lr`` is the peak, reached after the warm-up.

    One optimizer step takes ``batch_size · accumulate`` samples. SGD has Nesterov momentum 0.9. The rate rises linearly from
    ``warmup_lr`` during ``warmup_epochs``, then follows half a cosine or a line down to ``min_lr``, or stays (``constant``), or is
    multiplied by ``decay`` at each of the ``milestones``, epochs of the whole training (``step``). ``weight_decay`` holds for
    weights and biases, with ``decay_norm`` for normalisation layers too, and never for quantizers' scales. ``distill`` is the
    share of the loss that a float teacher gives at ``temperature``: ``teacher`` fp32 is the network as given, float what the
    recipe float makes of it in the same training (without a teacher, in one stage), at the rate ``teacher_lr`` where that is given:
    what one bit needs can be too much for a float network. ``start`` teacher: a low-bit network is
    made from its float teacher's weights, not from the given ones. For the first ``two_stage`` epochs the weights of low-bit layers
    stay float, their inputs do not; then rate and optimizer start anew. ``augment`` crops after padding by an
    eighth of the side (4 px at 32) and flips; with ``resized-crop-flip`` it takes a part of 8 to 100 % of the area instead;
    ``points`` is for clouds, ``wave`` is for sound, and so is ``mix``, a noise of the wave (``background:2,dir=DIR``) that every
    second wave, by chance, is under. ``jitter`` shifts brightness, contrast and saturation by up to that share, hue by half of it.
    ``processes`` is how many share each batch (``accelerate launch --num_processes``): gradients are averaged, batch norms see
    a process's part. ``grad_clip`` bounds the gradient's ℓ2 norm. ``adversarial``
    names the attack that each batch is put through before it is learned from; with ``trades`` > 0 the clean batch is learned from,
    and the attacked one adds ``trades`` times the distance between the two answers. ``match`` compares modules of the network
    with those of its teacher (hed, fid, dmd). ``depths`` (``8=1,4=0.5``) trains a thinnable network at several depths at once,
    each with its weight in the loss.

    Raises SpecError for a value that is not allowed, and for one that would have no effect.

    Source: ``epochs=100, batch_size=512, lr=4e-3, warmup_lr=1e-4, warmup_epochs=1, label_smoothing=0.1,
    augment=resized-crop-flip, jitter=0.2, processes=8`` is the recipe of ModelTC/mqbench-paper for ResNet-18; MobileNetV2 adds
    ``lr=1e-2, weight_decay=1e-5, decay_norm=False``. ``two_stage`` is arXiv 2003.03488's, there in halves. ``adversarial`` is
    arXiv 1706.06083 (PGD-AT), ``trades`` β of arXiv 1901.08573, equation 5.
    """

    version: ClassVar[int] = 1

    epochs: int
    lr: float
    batch_size: int = 128
    accumulate: int = 1
    optimizer: Literal["sgd", "adamw"] = "sgd"
    weight_decay: float = 1e-4
    decay_norm: bool = True
    schedule: Literal["cosine", "linear", "step", "constant"] = "cosine"
    min_lr: float = 0.0
    milestones: tuple[float, ...] = ()
    decay: float = 0.1
    warmup_epochs: float = 0.0
    warmup_lr: float = 0.0
    label_smoothing: float = 0.0
    distill: float = 0.0
    temperature: float = 1.0
    teacher: Literal["fp32", "float"] = "fp32"
    teacher_lr: float | None = None
    start: Literal["given", "teacher"] = "given"
    two_stage: int = 0
    augment: Literal["none", "flip", "crop-flip", "resized-crop-flip", "wave", "points"] = "none"
    jitter: float = 0.0
    mix: str | None = None
    processes: int = 1
    precision: Literal["no", "bf16"] = "no"
    grad_clip: float | None = None
    adversarial: str | None = None
    trades: float = 0.0
    match: str | None = None
    depths: str | None = None
    checkpoint_every_s: float = 30.0

    def __post_init__(self) -> None:
        hints = get_type_hints(Training)
        for field in dataclasses.fields(self):
            _check_type(field.name, getattr(self, field.name), hints[field.name])
        for name, (low, high) in _RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        for name, bound in (("min_lr", "lr"), ("warmup_lr", "lr"), ("warmup_epochs", "epochs")):
            if getattr(self, name) > getattr(self, bound):
                raise SpecError(f"Training: {name}={getattr(self, name)!r} must be at most {bound}={getattr(self, bound)!r}.")
        if self.two_stage and not self.warmup_epochs <= self.two_stage <= self.epochs - max(1, self.warmup_epochs):
            raise SpecError(
                f"Training: two_stage={self.two_stage!r} must leave both of its stages at least an epoch and their warm-up: "
                f"epochs={self.epochs!r}, warmup_epochs={self.warmup_epochs!r}."
            )
        if self.schedule == "step":
            self._check_milestones()
        if self.match is not None:
            matching(self.match)
        self.at_depths()
        if self.teacher_lr is not None:
            self.of_control()  # other rates must stay below this one too
        for name, value, needs in self._without_effect():
            raise SpecError(f"Training: {name}={value!r} has no effect without {needs}. Give that, or leave {name!r} out.")

    def _without_effect(self) -> list[tuple[str, object, str]]:
        cases = [
            ("temperature", self.temperature != 1, self.distill > 0, "distill > 0"),
            ("teacher", self.teacher != "fp32", self.taught or self.start == "teacher", "distill > 0, a match or start='teacher'"),
            ("teacher_lr", self.teacher_lr is not None, self.teacher == "float", "teacher='float'"),
            ("start", self.start != "given", self.teacher == "float", "teacher='float'"),
            ("label_smoothing", self.label_smoothing > 0, self.distill < 1, "distill < 1"),
            ("min_lr", self.min_lr > 0, self.schedule in ("cosine", "linear"), "schedule='cosine' or schedule='linear'"),
            ("milestones", bool(self.milestones), self.schedule == "step", "schedule='step'"),
            ("decay", self.decay != 0.1, self.schedule == "step", "schedule='step'"),
            ("warmup_lr", self.warmup_lr > 0, self.warmup_epochs > 0, "warmup_epochs > 0"),
            ("trades", self.trades > 0, self.adversarial is not None, "adversarial='pgd-linf:eps=8/255,steps=7'"),
            ("decay_norm", not self.decay_norm, self.weight_decay > 0, "weight_decay > 0"),
        ]
        return [(name, getattr(self, name), needs) for name, changed, used, needs in cases if changed and not used]

    def _check_milestones(self) -> None:
        ends = (0.0, *self.milestones, float(self.epochs))
        if not self.milestones or not all(a < b for a, b in pairwise(ends)) or self.milestones[0] < self.warmup_epochs:
            raise SpecError(
                f"Training: schedule='step' needs milestones that rise, from warmup_epochs={self.warmup_epochs!r} to below "
                f"epochs={self.epochs!r}; found {list(self.milestones)!r}. Type for example milestones: [100, 150] with 200 epochs."
            )
        if self.two_stage:
            raise SpecError(
                f"Training: two_stage={self.two_stage!r} has a schedule for each stage, and milestones are epochs of the whole "
                "training. Take schedule='cosine', 'linear' or 'constant'."
            )

    @property
    def taught(self) -> bool:
        """Whether there is a teacher."""
        return self.distill > 0 or self.match is not None

    def at_depths(self) -> tuple[tuple[int, float], ...]:
        """Return the depths and their weights, the first named one first; none without ``depths``. Raises SpecError."""
        if self.depths is None:
            return ()
        try:
            pairs = [(int(depth), float(weight)) for depth, weight in (part.split("=") for part in self.depths.split(","))]
        except ValueError:
            pairs = []
        if not pairs or any(depth < 1 or not 0 < weight < math.inf for depth, weight in pairs) or len(dict(pairs)) < len(pairs):
            raise SpecError(
                f"Training: depths={self.depths!r} is not DEPTH=WEIGHT,…, each depth once. Type for example '8=1,4=0.5'."
            )
        return tuple(pairs)

    def of_control(self) -> Training:
        """Return the training of the recipe ``float``: where that is the teacher, nobody teaches it, and it has one stage."""
        if self.teacher == "fp32":
            return self
        alone = replace(self, distill=0.0, temperature=1.0, teacher="fp32", teacher_lr=None, start="given", two_stage=0, match=None)
        return alone if self.teacher_lr is None else replace(alone, lr=self.teacher_lr)

    def identity(self) -> str:
        """Return the canonical text of all that changes the numbers: ``version=1,accumulate=1,…``, fields in the order of names.

        Two settings have the same identity exactly if they train the same network; ``RUN_TIME`` fields are left out.
        """
        hints = get_type_hints(Training)
        fields = [field for field in dataclasses.fields(self) if field.name not in RUN_TIME]
        names = sorted(field.name for field in fields if field.name not in LATER or getattr(self, field.name) != field.default)
        return ",".join([f"version={self.version}", *(f"{name}={_canonical(getattr(self, name), hints[name])}" for name in names)])


#: The allowed values of each number, both ends included.
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "accumulate": (1, math.inf),
    "lr": (math.ulp(0.0), math.inf),
    "teacher_lr": (math.ulp(0.0), math.inf),
    "weight_decay": (0, math.inf),
    "min_lr": (0, math.inf),
    "decay": (math.ulp(0.0), 1),
    "warmup_epochs": (0, math.inf),
    "warmup_lr": (0, math.inf),
    "label_smoothing": (0, 1),
    "distill": (0, 1),
    "temperature": (math.ulp(0.0), math.inf),
    "jitter": (0, 1),
    "processes": (1, math.inf),
    "two_stage": (0, math.inf),
    "grad_clip": (math.ulp(0.0), math.inf),
    "trades": (0, math.inf),
    "checkpoint_every_s": (0, math.inf),
}


def _check_type(name: str, value: object, hint: Any) -> None:
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            raise SpecError(f"Training: {name}={value!r} must be a tuple of numbers, in a grid a list.")
        for each in value:
            _check_type(name, each, get_args(hint)[0])
        return
    if names := [option for option in get_args(hint) if isinstance(option, str)]:
        if value not in names:
            raise SpecError(f"Training: {name}={value!r} is not known; allowed are {', '.join(map(repr, names))}.")
        return
    kinds = get_args(hint) or (hint,)
    if float in kinds:
        kinds = (*kinds, int)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = {int: "a whole number", bool: "true or false", float: "a number", str: "text"}[kinds[0]]
        raise SpecError(f"Training: {name}={value!r} must be {wanted}{' or None' if type(None) in kinds else ''}.")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is None or (low <= value <= high and math.isfinite(value)):
        return
    allowed = "more than 0" if 0 < low < 1 else f"at least {low}"
    allowed += f" and at most {high}" if high < math.inf else "" if math.isfinite(value) else " and finite"
    raise SpecError(f"Training: {name}={value!r} must be {allowed}.")


def _canonical(value: object, hint: Any) -> str:
    if isinstance(value, tuple):
        return ";".join(_canonical(each, get_args(hint)[0]) for each in value)
    number = float in (hint, *get_args(hint)) and isinstance(value, int | float)
    return repr(float(value)) if number else str(value)  # type: ignore[arg-type]
