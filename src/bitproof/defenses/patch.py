"""What all patches share: the fitted thing, the settings, and how victims are asked about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from bitproof.core import Batches, DataError, SpecError, Victim
from bitproof.core import seed as seed_of
from bitproof.defenses.geometry import SHAPES, mask_of, paste
from bitproof.defenses.moves import Moves

SITES = ("before", "after")

#: Whether the class is told, or each class is tried with its own patch.
LABELS = ("known", "free")


@dataclass(frozen=True, eq=False)
class Patches:
    """One pattern a class: K×3×S×S in [0, 1] where ``mask`` (S×S bool) is true, for the classes ``labels`` in order.

    It is told the class and shows that class's pattern: whoever sticks it on knows the label.
    """

    pattern: Tensor
    mask: Tensor
    labels: tuple[int, ...]

    draws: ClassVar[bool] = False

    def shown(self, label: int, seed: int) -> int | None:
        """The class itself."""
        return label

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Put the pattern on the middle S×S px: N×3×H×W → N×3×H×W. Raises DataError for a class without one."""
        return paste(x, _framed(self.of(label), x), _framed(self.mask, x))

    def of(self, label: int) -> Tensor:
        """The pattern of a class, 3×S×S."""
        if label not in self.labels:
            raise DataError(f"There is no patch for class {label}; it was fitted for {_told(self.labels)}.")
        return self.pattern[self.labels.index(label)]


def _framed(values: Tensor, x: Tensor) -> Tensor:
    """…×S×S with zeros around, as large as ``x``, and where it lies."""
    down, across = (x.shape[-2] - values.shape[-2], x.shape[-1] - values.shape[-1])
    if min(down, across) < 0:
        raise DataError(f"A patch of {values.shape[-1]} px is larger than a picture of {x.shape[-2]}×{x.shape[-1]} px.")
    around = (across // 2, across - across // 2, down // 2, down - down // 2)
    return F.pad(values, around).to(x.device)


def _told(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels[:10])) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")


@dataclass(frozen=True)
class PatchSettings:
    """The words that every patch has.

    Args:
        on: recipes that it is fitted on, joined by ``+``; ``own`` is the recipe that it is applied to.
        models: models that it is fitted on, by name or by what stands before their first colon, joined by ``+``; ``own`` is the
            cell's. Several recipes or models are an ensemble.
        at: ``before`` the corruption, so that an attack may change the patch too, or ``after``, so that an attack goes through
            the patch and cannot change it.
        shape: ``ring``, ``corner`` (a square at the lower right) or ``square`` (anywhere).
        margin: of ring and corner, px from the border; None is 1 at 32 px, in proportion.
        width: px of the ring or the square's side; None is the published one at 32 px, in proportion.
        n: training pictures, where pictures are needed.
        batch: pictures of a step.
        rotate, shear: degrees; scale, shift, brightness: shares, of the random photographs that it is fitted under.
        left, top: of a square, px from those borders of the network's input to it; None is the middle.
        label: ``known`` to whoever puts the patch on, or ``free``: each class's patch is tried on what the network sees, and the
            class that is likeliest with its own is the answer. To an attack that is one network, and it goes through all patches.
    """

    on: str = "own"
    models: str = "own"
    at: str = "before"
    shape: str = "ring"
    margin: int | None = None
    width: int | None = None
    n: int = 2048
    batch: int = 64
    rotate: float = 10.0
    scale: float = 0.1
    shear: float = 5.0
    shift: float = 0.0
    brightness: float = 0.1
    left: int | None = None
    top: int | None = None
    label: str = "known"

    site: ClassVar[str] = "image"
    fitted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_at(self.at)
        self._check_label()
        if self.shape not in SHAPES:
            raise SpecError(f"shape={self.shape!r} is unknown: {', '.join(SHAPES)}.")
        apart = ("margin",) if self.shape == "square" else ("left", "top")
        if wrong := [name for name in apart if getattr(self, name) is not None]:
            raise SpecError(
                f"{wrong[0]}={getattr(self, wrong[0])} says nothing of shape={self.shape}: a square lies left= and top= px, "
                "ring and corner margin= px from the border."
            )
        check_least(self, "n", "batch")
        for name, least in (("margin", 0), ("width", 1), ("left", 0), ("top", 0)):
            if getattr(self, name) is not None:
                check_least(self, name, least=least)
        Moves(self.rotate, self.scale, self.shear, self.shift, self.brightness)  # refuses what is out of range

    def _check_label(self) -> None:
        if self.label not in LABELS:
            raise SpecError(f"label={self.label!r} is unknown: {' or '.join(LABELS)}.")
        if not self.knows_label and self.at == "after":
            raise SpecError("label=free tries all patches on what the network is shown, so at=after says nothing. Leave it out.")

    @property
    def knows_label(self) -> bool:
        """Whether it is told the class."""
        return self.label == "known"

    @property
    def moves(self) -> Moves:
        """The random photographs."""
        return Moves(self.rotate, self.scale, self.shear, self.shift, self.brightness)

    def mask(self, size: int) -> Tensor:
        """Where the patch lies, S×S bool."""
        return mask_of(self.shape, size, self.margin, self.width, self.left, self.top)


def check_at(at: str) -> None:
    """Raise SpecError unless ``at`` says where a defense stands."""
    if at not in SITES:
        raise SpecError(f"at={at!r} is unknown: before the corruption, or after it. Type at=before or at=after.")


def check_least(settings: object, *names: str, least: float = 1) -> None:
    """Raise SpecError where one of the settings ``names`` is below ``least``."""
    for name in names:
        if getattr(settings, name) < least:
            raise SpecError(f"{name}={getattr(settings, name)} is out of range: {least:g} or more.")


def rows_of(y: Tensor, labels: Sequence[int]) -> Tensor:
    """The place of each class of ``y`` among ``labels``, N."""
    place = {label: i for i, label in enumerate(labels)}
    return torch.tensor([place[int(label)] for label in y])


def labelled(batches: Batches) -> list[tuple[Tensor, Tensor]]:
    """The pictures whose class gets a patch. Raises DataError where there are none."""
    found = []
    for x, y in batches.pictures:
        known = torch.isin(y, torch.tensor(batches.labels))
        if known.any():
            found.append((x[known], y[known]))
    if not found:
        raise DataError("A patch is to be fitted on pictures, and none of them is of a class that it will meet. Give other data.")
    return found


def victims_loss(victims: Sequence[Victim], x: Tensor, y: Tensor) -> Tensor:
    """The mean over victims and samples of −log p_y."""
    return torch.stack([victim.loss(x, y).mean() for victim in victims]).mean()


def step_(optimizer: torch.optim.Optimizer, pattern: Tensor, loss: Tensor) -> None:
    """One step of ``optimizer`` on ``pattern``, back into [0, 1]."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    with torch.no_grad():
        pattern.clamp_(0, 1)


def generator(batches: Batches, *names: object) -> Generator:
    """A generator of its own for each part of a fit."""
    return Generator().manual_seed(seed_of(batches.seed, *names))


def check_victims(victims: Sequence[Victim]) -> None:
    """Raise SpecError where a victim gives no gradient to fit with."""
    if not victims or not all(victim.differentiable for victim in victims):
        raise SpecError("A patch is fitted by gradients, and a finished session has none. Fit it on a torch network, on=float.")
