"""Site ``model``: how much of a thinnable network runs. The class is a declaration; ``convert`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bitproof.core import Rewrite, SpecError
from bitproof.noises.system.declared import Declared


@dataclass(frozen=True)
class Thin(Declared):
    """A thinnable network with ``depth`` of its blocks, as it may be switched at run time.

    Raises SpecError for a depth below 1; ModelError where a network has one depth alone, or not this one.
    Source: BiFSMN (2202.06483), thinnable architecture. Differs from the paper: nothing.
    """

    depth: int

    kinds: ClassVar[tuple[str, ...]] = ("keyword",)
    source: ClassVar[str] = "arXiv 2202.06483"

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise SpecError(f"depth={self.depth} is not possible: 1 or more.")

    def __call__(self, network: Rewrite) -> Any:
        """Return the network at this depth."""
        return network.thin(self.depth)
