"""What a patch has to be compared with before it may be called a defense."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bitproof.core import SpecError
from bitproof.core import seed as seed_of
from bitproof.defenses.geometry import paste
from bitproof.defenses.patch import Patches

#: Controls by name: what each shows. ``argmax`` is no other patch: each class is tried with its own, if any; the likeliest wins.
CONTROLS = {
    "wrong": "the patch of another class: does the patch decide, whatever the object?",
    "random": "a random pattern of the same place and energy: is it the pattern, or that there is one?",
    "alone": "the patch on grey: is there an object at all?",
    "argmax": "all patches in turn, without knowing the class: what is left where the label is not known?",
}


class WrongClass(Patches):
    """The patch of another class, drawn by ``seed``."""

    draws: ClassVar[bool] = True

    def shown(self, label: int, seed: int) -> int:
        """One of the other classes, each as likely."""
        others = [other for other in self.labels if other != label]
        return others[seed_of("wrong", seed) % len(others)]

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Put it on."""
        return super().__call__(x, self.shown(label, seed), seed)


class Random(Patches):
    """A pattern that knows no class."""

    def shown(self, label: int, seed: int) -> int | None:
        """None."""
        return None


class Alone(Patches):
    """The patch without a picture."""

    def __call__(self, x: Tensor, label: int, seed: int) -> Tensor:
        """Put it on grey."""
        return super().__call__(torch.full_like(x, 0.5), label, seed)


def same_energy(pattern: Tensor, mask: Tensor, draw: Generator) -> Tensor:
    """One random pattern 0.5 ± a, a² = mean (P − 0.5)² over all classes and the masked pixels: K×3×S×S → K×3×S×S, all K equal."""
    size = (pattern[:, :, mask] - 0.5).square().mean().sqrt()
    signs = 2.0 * torch.randint(0, 2, pattern.shape[1:], generator=draw) - 1
    return paste(torch.full_like(pattern, 0.5), 0.5 + size * signs, mask)


def controlled(patches: Patches, control: str, seed: int) -> Patches:
    """Return what stands in the place of ``patches`` for a control; itself for ``argmax``, which shows each patch in turn.

    Raises SpecError where there is one class alone, so that no other patch exists.
    """
    if control == "random":
        draw = Generator().manual_seed(seed_of(seed, "random ring"))
        return Random(same_energy(patches.pattern, patches.mask, draw), patches.mask, patches.labels)
    if control == "wrong" and len(patches.labels) < 2:
        raise SpecError("The control 'wrong' needs patches of two classes or more.")
    kinds = {"wrong": WrongClass, "alone": Alone}
    kind = kinds.get(control)
    return replace(patches) if kind is None else kind(patches.pattern, patches.mask, patches.labels)
