"""A packed encoder of texts: a program behind the cut of what nothing stands in."""

from __future__ import annotations

from torch import Tensor, nn

from bitproof.export.program import Program
from bitproof.models import trimmed


class PackedTexts(nn.Module):
    """``program`` on texts without the positions at which none of the batch has anything; int64 N×3×length → N×classes."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def forward(self, x: Tensor) -> Tensor:
        """Cut, then run the program."""
        y: Tensor = self.program(trimmed(x))
        return y
