"""The layer that stands where a 1-bit layer stood: packed signs of its weight, packed signs of its input."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.export.signs import Signs
from bitproof.kernels import sign_conv2d


def _called(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    pass


class PackedLayer(nn.Module):
    """y = scale·Σ sign(x − threshold)·w + bias on packed words, on the CPU, without a gradient.

    Shapes: of a convolution N×C×H×W or C×H×W; of a linear layer any×k. float32 out.

    Args:
        found: the layer's numbers.
        linear: whether it was a linear layer.
        border: positions of a padding that copies values, and its mode.
        name: the layer's dotted name, for ``print(model)``.
    """

    blocks: Tensor
    sums: Tensor
    scale: Tensor
    bias: Tensor
    threshold: Tensor

    def __init__(self, found: Signs, linear: bool, border: tuple[tuple[int, ...], str] = ((), ""), name: str = "") -> None:
        super().__init__()
        self.shape, self.groups, self.window = list(found.weight.shape), found.weight.groups, found.window
        self.linear, self.border, self.name = linear, border, name
        self.register_buffer("blocks", torch.from_numpy(found.weight.blocks.view(np.int32)))
        for key in ("scale", "bias", "threshold"):
            self.register_buffer(key, torch.from_numpy(getattr(found, key)))
        self.register_buffer("sums", torch.from_numpy(found.weight.sums))
        # nn.TransformerEncoderLayer reads its layers' weights instead of calling them, unless a hook is attached
        self.register_forward_pre_hook(_called)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        x = x.detach().to(torch.float32)
        if self.linear:
            y = self._product(x.reshape(-1, self.shape[1], 1, 1) if x.numel() else x.new_zeros(0, self.shape[1], 1, 1))
            return y.reshape(*x.shape[:-1], self.shape[0])
        if self.border[1]:
            x = F.pad(x, self.border[0], self.border[1])
        return self._product(x) if x.ndim == 4 else self._product(x[None])[0]

    def _product(self, x: Tensor) -> Tensor:
        w, at = (self.blocks, self.sums, self.scale, self.bias, self.shape, self.groups), self.window
        y: Tensor = sign_conv2d(x, *w, at.stride, at.padding, at.dilation, at.pad, 0, self.threshold)
        return y

    def extra_repr(self) -> str:
        """Return name and shape for ``print(model)``."""
        return f"{self.name}, {'×'.join(map(str, self.shape[: 2 if self.linear else 4]))}"


class PackedPlanes(nn.Module):
    """Layers that share a weight, each on what the signs of the ones before it leave of the input; their outputs are added.

    y = P₁(x) + P₂(x − b₁) + …, b₁ = sign(x − threshold₁). Shapes: as ``PackedLayer``.
    """

    def __init__(self, planes: Sequence[PackedLayer]) -> None:
        super().__init__()
        self.planes = nn.ModuleList(planes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        planes: list[Any] = list(self.planes)
        y: Tensor = planes[0](x)
        for before, plane in pairwise(planes):
            at = before.threshold if before.linear else before.threshold.reshape(-1, 1, 1)
            x = x - ((x - at).ge(0).to(torch.float32) * 2 - 1)
            y = y + plane(x)
        return y
