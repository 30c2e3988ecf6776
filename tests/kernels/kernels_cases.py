"""Random layers of signs, and the same layer computed by torch."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from bitproof import kernels

#: Every set that this processor has, without the reference.
NATIVE = kernels.available()[:-1]
needs_native = pytest.mark.skipif(not NATIVE, reason="the C++ kernels were not built in this installation")


@dataclass(frozen=True)
class Layer:
    """A convolution of signs: c and o are of one group; ``size`` grows by what the kernel needs."""

    seed: int = 0
    c: int = 8
    o: int = 8
    groups: int = 1
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: int = 1
    size: tuple[int, int] = (4, 5)
    images: int = 2

    @property
    def outputs(self) -> int:
        return self.o * self.groups

    @property
    def settings(self) -> dict:
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "pad": self.pad}

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """x [n, c, h, w] and w [o, c / groups, kh, kw], zeros among them."""
        random = np.random.default_rng(self.seed)
        height, width = (s + d * (k - 1) for s, d, k in zip(self.size, self.dilation, self.kernel, strict=True))
        x = random.standard_normal((self.images, self.c * self.groups, height, width)).astype(np.float32)
        x[random.random(x.shape) < 0.05] = 0
        return x, random.standard_normal((self.outputs, self.c, *self.kernel)).astype(np.float32)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """A scale of either sign, some of them 0, and a bias, one an output."""
        random = np.random.default_rng(self.seed + 1)
        scale, bias = random.standard_normal((2, self.outputs)).astype(np.float32)
        scale[random.random(self.outputs) < 0.1] = 0
        return scale, bias * 4


def sign(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, -1, 1)


def by_torch(layer: Layer) -> np.ndarray:
    """The layer in float64, channels last."""
    x, w = (torch.from_numpy(sign(a)).double() for a in layer.arrays())
    (top, left), pad = layer.padding, float(layer.pad)
    x = torch.nn.functional.pad(x, (left, left, top, top), value=pad)
    y = torch.nn.functional.conv2d(x, w, stride=layer.stride, dilation=layer.dilation, groups=layer.groups)
    return y.permute(0, 2, 3, 1).numpy()


def packed(layer: Layer, then=None, **words) -> np.ndarray:
    x, w = layer.arrays()
    return kernels.conv2d(kernels.pack(x, axis=1), kernels.pack_weight(w, layer.groups), then, **layer.settings, **words)
