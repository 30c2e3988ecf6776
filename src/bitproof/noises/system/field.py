"""Site ``model``: the commonest bugs between a picture and a network that is right in itself. ``convert`` carries them out.

Formula: the network's own (x − mean) / std becomes (c·x − mean') / std'. Source: SysNoise (MLSys 2023) lists differences of
pre-processing; torchvision and timm publish the constants. Differs from the paper: it leaves normalisation out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Rewrite, SpecError
from bitproof.noises.system.declared import Declared

#: Mean and standard deviation of the channels in [0, 1] by the word for them. Source: torchvision's presets; timm's constants.
NORMS = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class _FieldBug(Declared):
    family: ClassVar[str] = "field"
    source: ClassVar[str] = "SysNoise (MLSys 2023), pre-processing; constants of torchvision and timm"


@dataclass(frozen=True)
class Norm(_FieldBug):
    """Another network's mean and standard deviation: half (0.5, 0.5), none (0, 1) or imagenet.

    Raises SpecError for another word; a network that has these numbers itself refuses them.
    """

    like: str

    def __post_init__(self) -> None:
        if self.like not in NORMS:
            raise SpecError(f"The normalisation {self.like!r} is unknown: {', '.join(NORMS)}. Type for example 'norm:like=half'.")

    def __call__(self, network: Rewrite) -> Any:
        """Return the network behind the other normalisation."""
        return network.normalize(*NORMS[self.like])


@dataclass(frozen=True)
class Range255(_FieldBug):
    """Pictures in 0 to 255 handed to a network that expects 0 to 1: the division by 255 was forgotten."""

    def __call__(self, network: Rewrite) -> Any:
        """Return the network that is fed 255·x."""
        return network.scale_input(255)


@dataclass(frozen=True)
class Range1(_FieldBug):
    """Pictures divided by 255 once too often: twice, or in front of a network that expects 0 to 255."""

    def __call__(self, network: Rewrite) -> Any:
        """Return the network that is fed x/255."""
        return network.scale_input(1 / 255)
