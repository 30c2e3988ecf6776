"""The op of torch: its fake kernel tells the truth, and the compilers of torch keep it."""

import shutil

import numpy as np
import pytest
import torch
from kernels_cases import Layer, by_torch

from bitproof import kernels

LAYER = Layer(c=20, o=9, groups=2, stride=(2, 1), pad=0)


def arguments(layer: Layer) -> tuple:
    x, w = layer.arrays()
    packed = kernels.pack_weight(w, layer.groups)
    steps = (list(layer.stride), list(layer.padding), list(layer.dilation), layer.pad, 1)
    arrays = (x, packed.blocks.view(np.int32), packed.sums, *layer.affine())
    return (*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays), list(packed.shape), layer.groups, *steps)


class Net(torch.nn.Module):
    """The op between two others."""

    def __init__(self, rest: tuple):
        super().__init__()
        self.rest = rest

    def forward(self, x):
        return torch.relu(kernels.sign_conv2d(x * 2, *self.rest))


def test_it_is_the_convolution_of_the_signs_scaled():
    scale, bias = LAYER.affine()
    expected = by_torch(LAYER).astype(np.float32) * scale + bias
    np.testing.assert_array_equal(kernels.sign_conv2d(*arguments(LAYER)).permute(0, 2, 3, 1).numpy(), expected)


@pytest.mark.parametrize("layer", [LAYER, Layer(c=1, o=1, groups=33)], ids=str)
def test_torch_finds_nothing_wrong_with_it(layer):
    torch.library.opcheck(kernels.sign_conv2d, arguments(layer), test_utils=("test_schema", "test_faketensor"))


def test_a_compiled_and_an_exported_network_keep_it():
    x, *rest = arguments(LAYER)
    net = Net(tuple(rest))
    expected = net(x)
    assert torch.equal(torch.compile(net, fullgraph=True, backend="aot_eager")(x), expected)
    exported = torch.export.export(net, (x,))
    assert "bitproof.sign_conv2d" in str(exported.graph)
    assert torch.equal(exported.module()(x), expected)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="torch's default compiler needs a C++ compiler")
@pytest.mark.parametrize("dynamic", [False, True])
def test_torchs_default_compiler_keeps_it(dynamic):
    """Inductor writes loops for what stands around the op; another batch size goes through as well."""
    x, *rest = arguments(LAYER)
    net = Net(tuple(rest))
    compiled = torch.compile(net, fullgraph=True, dynamic=dynamic)
    for each in (x, torch.cat([x, -x])):
        assert torch.equal(compiled(each), net(each))
