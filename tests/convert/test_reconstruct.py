"""Learned rounding, layer by layer."""

import pytest
import torch
from torch import nn

import bitproof
from bitproof.convert import insert, quantize
from bitproof.core import SpecError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, groups=2, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv2(self.bn(self.conv1(x)).relu()).relu()
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def batches():
    x = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return list(x.split(32))


def error(net, model, batches):
    with torch.no_grad():
        return sum(float((net(x) - model(x)).square().sum()) for x in batches)


def test_learned_rounding_is_nearer_than_the_nearest(net, batches):
    nearest = quantize(net, "mse:w3a32,first=same,last=same", batches).model
    learned = quantize(net, "adaround:w3a32,first=same,last=same,steps=400,lr=0.01", batches).model
    assert error(net, learned, batches) < 0.7 * error(net, nearest, batches)


def test_a_weight_moves_by_less_than_a_step_and_is_on_the_grid(net, batches):
    model, report = quantize(net, "adaround:w4a8,steps=30,lr=0.05", batches)
    before = dict(insert(net, "minmax:w8a8", batches[0]).model.named_parameters())
    for name in ("conv1", "conv2", "head"):
        layer = model.get_submodule(name)
        w, s = layer.layer.weight.detach(), layer.weight_quantizer.info().scale
        assert torch.equal(layer.weight, w)
        assert float(((w - before[f"{name}.layer.weight"].detach()).abs() / s).max()) < 1 + 1e-3 or name == "conv1"
    assert "learned up or down" in report.defaults


def test_it_is_the_same_each_time_and_loads_from_a_state_dict(net, batches):
    recipe = "adaround:w3a4,steps=20,lr=0.05"
    first, again = (quantize(net, recipe, batches).model for _ in range(2))
    loaded = insert(net, recipe, batches[0]).model
    loaded.load_state_dict(first.state_dict())
    for x in batches:
        assert torch.equal(first(x), again(x)) and torch.equal(first(x), loaded(x))


def test_the_given_network_stays_as_it_was(net, batches):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    quantize(net, "adaround:w3a4,steps=5", iter(batches))  # batches that can be read once
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_shared_weight_is_rounded_to_the_nearest(batches):
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 3, 3, padding=1)
    twice = nn.Conv2d(3, 3, 3, padding=1)
    twice.weight = layer.weight
    net = nn.Sequential(layer, nn.ReLU(), twice).eval()
    model = bitproof.quantize(net, "adaround:w3a8,steps=5,lr=1", batches).model
    assert torch.equal(model[0].layer.weight, layer.weight)


def test_settings_that_make_no_sense_are_refused(net, batches):
    with pytest.raises(SpecError, match="steps=0"):
        quantize(net, "adaround:w4a8,steps=0", batches)
