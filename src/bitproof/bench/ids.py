"""What a network to make and a cell are; each has an id that holds all it depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from bitproof.convert import Recipe
from bitproof.core import digest

#: Raised when the code of ``bench`` or ``convert`` changes a number; part of every id.
PIPELINE = 1


@dataclass(frozen=True)
class Variant:
    """One network: task × model × recipe × training × seed. ``identity`` lists versions and digests of what it is made from.

    ``told`` is what its rows call model and recipe, where that is not their own: of a low-bit version the control's name.
    """

    task: str
    model: str
    recipe: Recipe
    seed: int
    identity: tuple[str, ...]
    told: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def names(self) -> tuple[str, str]:
        """Model and recipe as its rows call them."""
        return self.told or (self.model, str(self.recipe))

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

    @property
    def name(self) -> str:
        """The first noise without its settings."""
        return self.noise.partition("+")[0].partition(":")[0]

    @property
    def is_control(self) -> bool:
        """Whether it shows what a defense has to be compared with."""
        return self.family == "evidence" and self.noise != "evidence"

    @property
    def what(self) -> str:
        """The noise, and the defense where there is one."""
        return self.noise if self.defense == "none" else f"{self.noise} behind {self.defense}"

    @cached_property
    def id(self) -> str:
        """Twelve hex digits; equal ids mean equal rows."""
        numbers = (self.limit, self.held_out, self.batch_size, self.threads)
        return digest("cell", PIPELINE, self.variant.id, self.noise, self.defense, *numbers, *self.identity)
