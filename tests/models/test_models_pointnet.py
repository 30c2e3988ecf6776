"""PointNet: its size, what order and transforms mean, and one bit of it."""

import pytest
import torch

from bitproof.convert import quantize
from bitproof.core import Cloud, ModelError, SpecError
from bitproof.export import deploy, save_packed
from bitproof.models import load
from bitproof.models.pointnet import balanced_largest

TINY = "pointnet:width=0.125,classes=5,points=64"


def parameters(network):
    return sum(p.numel() for p in network.module.parameters())


def clouds(n=4, points=64):
    return torch.rand(n, 3, points, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_sizes_are_the_published_ones():
    # 1612.00593, table 6: 3.5 M, vanilla 0.8 M
    assert parameters(load("pointnet")) == pytest.approx(3.5e6, rel=0.02)
    assert parameters(load("pointnet:input_transform=false,feature_transform=false")) == pytest.approx(0.8e6, rel=0.03)
    assert load("pointnet:points=2048").form == Cloud(2048)


@pytest.mark.parametrize("aggregate", ["max", "ema-max"])
def test_the_order_of_points_does_not_matter(aggregate):
    network, x = load(f"{TINY},aggregate={aggregate}"), clouds()
    torch.testing.assert_close(network.module(x), network.module(x[:, :, torch.randperm(64)]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("points", "released"), [(1024, -3.2041), (2048, -3.4025), (4096, -3.5836)])
def test_the_shift_of_ema_max_is_the_released_one(points, released):
    # htqin/BiPointNet@b12d8ba, models/pointnet.py
    assert float(balanced_largest(torch.zeros(1, 1, 1, points))) == pytest.approx(released, abs=0.005)
    drawn = balanced_largest(torch.randn(1, 500, 1, points, generator=torch.Generator().manual_seed(1)))
    assert 0.4 < float((drawn > 0).float().mean()) < 0.6


def test_a_transform_begins_near_the_identity_and_owes_once():
    net = load(TINY).module
    turned, x = net.turn(clouds()[:, :, None]), clouds()[:, :, None]
    assert turned.shape == x.shape and (turned - x).abs().mean() < 0.5 * x.abs().mean()
    net.train()
    net(clouds())
    owed = net.turn_features.penalty()
    assert owed > 0 and owed.requires_grad and net.turn_features.penalty() == 0 and net.turn.penalty() == 0
    owed.backward()
    assert net.turn_features.whole[-1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("method", ["bireal", "xnor", "reactnet"])
def test_a_network_of_one_bit_packs_to_the_same_logits(method, tmp_path):
    network, x = load(f"{TINY},aggregate=ema-max"), clouds(8)
    made = quantize(network.module, f"{method}:w1a1", [x])
    binary = [layer.name for layer in made.report.layers if layer.changed]
    assert {"local.3", "points.6", "turn_features.points.0", "whole.0"} <= set(binary) and "whole.7" not in binary
    if method == "xnor":
        return
    packed = deploy(made.model, x).model
    torch.testing.assert_close(packed(x), made.model(x), atol=1e-3, rtol=1e-3)
    save_packed(packed, tmp_path / "bits.safetensors", {"kind": "points", **vars(network.form)})
    again = load(f"packed:{tmp_path / 'bits.safetensors'}")
    assert again.form == network.form and torch.equal(again.module(x), packed(x))
    save_packed(packed, tmp_path / "other.safetensors", {"kind": "points", "size": 3})
    with pytest.raises(ModelError, match="how a shape becomes its input"):
        load(f"packed:{tmp_path / 'other.safetensors'}")


def test_what_there_is_not_is_told():
    for wrong, told in (("aggregate=mean", "max, ema-max"), ("width=0", "above 0"), ("points=3", "at least 8")):
        with pytest.raises(SpecError, match=told):
            load(f"pointnet:{wrong}")
