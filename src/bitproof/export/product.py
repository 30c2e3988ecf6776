"""A packed product as a program runs it: values or bits in, values or bits out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitproof.export.signs import Signs
from bitproof.kernels import Affine, Cut, conv2d, pack

#: The name of its step.
PRODUCT = "bitproof.product"

Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Product:
    """``signs`` as they are, or with the next sign already taken: ``cut`` then stands for scale, bias and that sign's threshold.

    Shapes: float32 N×C×H×W, or packed ``[n, h, w, words]`` from another product's cut; out likewise.
    """

    signs: Signs
    cut: Cut | None = None

    def __call__(self, x: Any, threads: int) -> Any:
        """Return the product with ``x``, a tensor or words."""
        found, window = self.signs, self.signs.window
        words = x if isinstance(x, np.ndarray) else self._packed(x, threads)
        steps: dict[str, Any] = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "pad": window.pad}
        y = conv2d(words, found.weight, self.cut or Affine(found.scale, found.bias), threads=threads, **steps)
        return y if self.cut else torch.from_numpy(y).permute(0, 3, 1, 2)

    def _packed(self, x: Tensor, threads: int) -> Words:
        at = self.signs.threshold
        return pack(x.numpy(), axis=1, threshold=at if at.any() else None, threads=threads)
