"""Site ``model``: operators that runtimes and exporters define in more than one way. ``convert`` carries them out.

Seen are layers (``nn.MaxPool2d``, ``nn.Upsample``, …); what a network calls as a function is not.
Source: SysNoise (MLSys 2023), ceil mode and upsample. Differs from the paper: average pooling as well, any stride above 1, and
``align_corners``; upsampling in networks that classify.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Rewrite, SpecError
from bitproof.noises.system.declared import Declared


class _Operator(Declared):
    source: ClassVar[str] = "SysNoise (MLSys 2023), ceil mode and upsample"


@dataclass(frozen=True)
class CeilMode(_Operator):
    """Output sides of max and average pools with a stride above 1 rounded up instead of down."""

    def __call__(self, network: Rewrite) -> Any:
        """Return the network with its pools in ceil mode."""
        return network.ceil_pools()


@dataclass(frozen=True)
class Upsample(_Operator):
    """Upsampling layers by another rule: ``mode`` nearest or bilinear, for bilinear with ``align_corners`` or without.

    Raises SpecError for another word.
    """

    mode: str = "bilinear"
    align_corners: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("nearest", "bilinear"):
            raise SpecError(f"The upsampling {self.mode!r} is unknown: nearest or bilinear.")
        if self.mode == "nearest" and self.align_corners:
            raise SpecError("Nearest upsampling has no align_corners. Type 'upsample:mode=nearest'.")

    def __call__(self, network: Rewrite) -> Any:
        """Return the network with its upsampling layers changed."""
        return network.upsample(self.mode, self.align_corners)
