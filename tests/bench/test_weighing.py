"""What a variant's row tells of its products: counts worked out by hand, and a packed network that runs."""

import pytest
import torch
from torch import nn

from bitproof.bench.weighing import latencies, packed_of, work_of
from bitproof.convert import quantize
from bitproof.kernels import REFERENCE


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 5),
    ).eval()


X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))

#: Multiply-adds of its three layers at 8×8: output positions × size of the weight.
MACS = (64 * 8 * 3 * 9, 16 * 8 * 4 * 9, 8 * 4 * 4 * 5)


def test_a_float_network_is_counted_by_layer():
    work = work_of(net(), X)
    assert (work.macs, work.macs_binary, work.weights_binary) == (sum(MACS), 0, 0)


def test_a_transposed_convolution_is_counted_by_its_input():
    assert work_of(nn.ConvTranspose2d(3, 6, 2, stride=2), X).macs == 64 * 3 * 6 * 4


def test_what_is_binary_is_told_apart():
    model = quantize(net(), "bireal:w1a1", [X]).model
    work = work_of(model, X)
    assert (work.macs, work.macs_binary, work.weights_binary) == (sum(MACS), MACS[1], 8 * 4 * 9)
    assert work_of(quantize(net(), "bireal:w1a32", [X]).model, X).macs_binary == 0


def test_a_product_that_its_method_also_uses_for_a_mean_counts_once():
    assert work_of(quantize(net(), "xnor:w1a1", [X]).model, X).macs == sum(MACS)


@pytest.mark.parametrize("kernels", ["a set", REFERENCE])
def test_a_packed_network_is_measured_beside_the_float_one(kernels, monkeypatch):
    monkeypatch.setattr("bitproof.bench.weighing.chosen", lambda: kernels)
    model = net()
    found = packed_of(quantize(model, "bireal:w1a1", [X]).model.eval(), model, X)
    assert found is not None
    assert found.size_bytes > 0
    if kernels == REFERENCE:
        assert found.packed_ms is found.float_ms is None
    else:
        assert found.packed_ms > 0 and found.float_ms > 0
    assert packed_of(model, model, X) is None


def test_latencies_are_one_a_model():
    assert len(latencies([nn.Identity(), nn.Identity(), nn.Identity()], X)) == 3


def test_an_attention_counts_alike_in_float_and_in_low_bits():
    """Torch's own module multiplies behind the back of its layers; a recipe opens it."""
    layer = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True).eval()
    x = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
    low = quantize(nn.Sequential(layer), "minmax:w8a8,fold=false", [x]).model
    by_hand = 5 * (4 * 12 * 12 + 2 * 12 * 24)
    assert work_of(layer, x).macs == work_of(low, x).macs == by_hand
