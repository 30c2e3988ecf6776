"""XNOR-Net++: all scales of an output learned together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitproof.core import ShapeError
from bitproof.quantizers.binary import Gain, LearnedScale, clipped


class AxisScales(Gain):
    """y·β⊗γ…: a learned number for each row, column, … of a layer's output, 1 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.axes = nn.ParameterList()

    def observe(self, y: Tensor, axes: int) -> None:
        """Make as many numbers as the output has rows, columns, …."""
        if not len(self.axes):
            self.axes.extend(nn.Parameter(torch.ones(size, device=y.device)) for size in y.shape[y.ndim - axes :])

    def forward(self, x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
        """Return y·β⊗γ…. Raises ShapeError for an output of another size than the calibration's."""
        learned, found = tuple(map(len, self.axes)), tuple(y.shape[y.ndim - len(self.axes) :])
        if learned != found:
            raise ShapeError(
                f"xnorpp has learned scales for an output of {_by(learned)}; this input gives {_by(found)}. "
                "Keep the input's size, or take spatial=false."
            )
        for i, scale in enumerate(self.axes):
            y = y * scale.reshape(-1, *[1] * (len(self.axes) - 1 - i))
        return y

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for what was stored: a network is built before it has seen an input."""
        kept = [value for key, value in state.items() if key.startswith(f"{prefix}axes.")]
        if not len(self.axes):
            self.axes.extend(nn.Parameter(torch.ones_like(value)) for value in kept)
        super()._load_from_state_dict(state, prefix, *rest)


def _by(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))


@dataclass(eq=False, repr=False, kw_only=True)
class XNORpp(LearnedScale):
    """Binarization whose scales are learned, one an output channel and one a row and column of the output.

    Forward, weights: w_hat = |α|·sign(w), α per output channel. Inputs: x_hat = sign(x). The output is multiplied by β⊗γ before
    its bias, β a number for each of its rows, γ for each of its columns (1-D: β alone; a linear layer: neither).
    Backward: dw = |α|·g where |w| ≤ 1, else 0; dx = g where |x| ≤ 1, else 0; α, β and γ have their true derivatives.
    Start: α = mean|w|, β = γ = 1.
    ``spatial=false`` leaves out β and γ: then a layer is a product of bits and α, at any size of input. With them the size is
    fixed, and the output needs a pass in float.
    Shapes: any → the same. 1 bit.

    Source: arXiv 1909.13863, section 3 (its last form, α⊗β⊗γ).
    Differs from the paper: |α| of at least 2⁻²⁴ is used; sign(0) = +1. Differs from BiBench: there α starts at 1, and β and γ are
    2000 numbers cut to size.
    """

    source: ClassVar[str] = "arXiv 1909.13863"

    spatial: bool = True

    def slope(self, g: Tensor, u: Tensor) -> Tensor:
        """Pass where |u| ≤ 1."""
        return clipped(g, u)

    def gain(self) -> nn.Module | None:
        """Return β⊗γ."""
        return AxisScales() if self.spatial and self.role == "weight" else None
