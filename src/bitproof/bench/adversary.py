"""What a training names by a spec: the attack that it is against, which the training room calls ``perturb``; a noise mixed in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitproof.core import Comparing, SpecError
from bitproof.models import TorchVictim
from bitproof.noises import expand, noise
from bitproof.training import Perturb


def trained_against(text: str) -> str:
    """Return the attack of a training in its one form. Raises SpecError for what is none, or needs other networks."""
    spec, built = _one(text)
    if built is None or built.family != "adversarial" or isinstance(built, Comparing):
        raise SpecError(
            f"training.adversarial={text!r} is no attack on the network in training. Type for example 'pgd-linf:eps=8/255,steps=7'."
        )
    return spec


def mixed_into(text: str) -> str:
    """Return the noise that is mixed into a training's waves in its one form. Raises SpecError for what cannot be."""
    spec, built = _one(text)
    if getattr(built, "site", None) != "wave" or getattr(built, "others", 0):
        raise SpecError(
            f"training.mix={text!r} is no noise of a wave that needs no other recordings. "
            "Type for example 'background:2,dir=DIR' or 'white_noise:2'."
        )
    return spec


def _one(text: str) -> tuple[str, Any]:
    """The one noise that ``text`` names in its one form, and what it builds: None for several, a sum, or clean."""
    spec, *others = expand(text)
    return spec, None if others or "+" in spec or spec == "clean" else noise(spec)


def adversary(spec: str) -> Perturb:
    """Return the hook that attacks each batch of a training with ``spec``.

    The network is attacked as it is evaluated (batch norms at their running statistics), so that the attack leaves no trace in it.
    """
    attack = noise(spec)

    def perturb(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        seeds = torch.randint(2**62, (len(x),)).tolist()  # of the step's own generator
        was = model.training
        try:
            attacked: Tensor = attack(TorchVictim(model.eval()), x, y, seeds).x
        finally:
            model.train(was)
        return attacked

    return perturb
