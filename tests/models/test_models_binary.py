"""The networks made for one bit: a shortcut around each convolution, and activations that move."""

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.models import RPReLU, Shift, load


@pytest.mark.parametrize(
    ("name", "size", "convs", "millions"),
    [
        ("bireal-resnet20", 32, 19, 0.27),
        ("reactnet-resnet20", 32, 19, 0.28),
        ("bireal-resnet18", 224, 20, 11.69),
        ("reactnet-resnet18", 224, 20, 11.70),
    ],
)
def test_size_and_shortcuts(name, size, convs, millions):
    network = load(name)
    found = [m for m in network.module.modules() if isinstance(m, nn.Conv2d)]
    assert len(found) == convs and network.geometry.size == size
    assert sum(p.numel() for p in network.module.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)
    three = [m for m in found if m.kernel_size == (3, 3) and m.in_channels > 3]
    units = [m for m in network.module.modules() if hasattr(m, "downsample")]
    assert len(three) == len(units) and all(unit.conv in three for unit in units)


@pytest.mark.parametrize("name", ["bireal-resnet20", "reactnet-resnet20", "bireal-resnet18"])
def test_what_a_convolution_makes_of_its_input_is_added_to_it(name):
    """With all convolutions of a stage silent its input comes out as it went in, but for the activation."""
    for unit in (m for m in load(name).module.modules() if hasattr(m, "downsample")):
        with torch.no_grad():
            unit.conv.weight.zero_()
        x = torch.randn(2, unit.conv.in_channels, 4, 4)
        with torch.no_grad():
            torch.testing.assert_close(unit.eval()(x), unit.after(unit.downsample(x)))


def test_rprelu_is_its_formula():
    act, x = RPReLU(3), torch.randn(4, 3, 5)
    gamma, beta, zeta = torch.tensor([0.5, -0.2, 0.0]), torch.tensor([0.1, 0.3, -0.5]), torch.tensor([1.0, 0.0, -1.0])
    with torch.no_grad():
        act[0].b.copy_(-gamma)
        act[1].weight.copy_(beta)
        act[2].b.copy_(zeta)
    v = x.numpy() - gamma[:, None].numpy()
    expected = np.where(v > 0, v, beta[:, None].numpy() * v) + zeta[:, None].numpy()
    np.testing.assert_allclose(act(x).detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    act(x).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in act.parameters())


def test_a_shift_works_on_the_channels_of_any_input():
    shift = Shift(2)
    with torch.no_grad():
        shift.b.copy_(torch.tensor([1.0, 2.0]))
    for shape in ((3, 2), (3, 2, 4), (3, 2, 4, 5)):
        assert torch.equal(shift(torch.zeros(shape))[:, 1], torch.full((shape[0], *shape[2:]), 2.0))
