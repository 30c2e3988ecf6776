"""The networks for keywords: their sizes, and depths that can be switched."""

import pytest
import torch
from torch import nn

from bitproof.convert import Rewriter, at_depth, quantize, thin_, thinnable
from bitproof.core import Clip, ModelError, SpecError
from bitproof.models import load


def inside(network):
    return network.module.net


def parameters(network):
    return sum(p.numel() for p in network.module.parameters())


def clips(n=4):
    return torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 20 - 30


def test_sizes_are_the_published_ones():
    assert parameters(load("d-fsmn")) == 600_252  # BiFSMN's teacher, counted from its released code
    assert parameters(load("ds-cnn")) == pytest.approx(23_000, rel=0.03)  # 1711.07128, DS-CNN S
    assert parameters(load("res8")) == pytest.approx(110_000, rel=0.01)  # 1710.10361
    assert load("d-fsmn").form == Clip("logmel-32") and load("ds-cnn").form == Clip("mfcc-49x10")


def test_a_float_network_takes_no_pictures():
    with pytest.raises(SpecError, match="'keyword'"):
        load("res8").geometry  # noqa: B018


@pytest.mark.parametrize(("depth", "blocks"), [(8, [0, 1, 2, 3, 4, 5, 6, 7]), (4, [1, 3, 5, 7]), (2, [3, 7]), (1, [7])])
def test_a_depth_runs_its_blocks_with_norms_of_its_own(depth, blocks):
    net, ran = inside(load("bifsmn")), []
    for i, block in enumerate(net.blocks):
        block.register_forward_hook(lambda module, x, y, i=i: ran.append(i))
    net.set_depth(depth)
    before = net(clips())
    assert ran == blocks
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".norms." in name and f".norms.{depth}." not in name:
                parameter.add_(7)
    torch.testing.assert_close(net(clips()), before)


def test_depths_are_4_2_1_of_8_and_no_others():
    with pytest.raises(SpecError, match="8, 4, 2, 1"):
        inside(load("bifsmn")).set_depth(3)
    with pytest.raises(SpecError, match="8, 4, 2, 1"):
        load("bifsmn:depth=5")


def test_thinning_is_a_change_of_a_copy():
    network = load("bifsmn")
    x = clips()
    thin = Rewriter(network.module, x).thin(2)
    assert torch.equal(thin(x), load("bifsmn:depth=2").module(x)) and inside(network).depth == 8
    for module, depth, told in (
        (network.module, 8, "as it is"),
        (network.module, 3, "no depth 3"),
        (load("d-fsmn").module, 4, "one depth"),
    ):
        with pytest.raises(ModelError, match=told):
            Rewriter(module, x).thin(depth)


def test_folded_norms_of_one_depth_are_no_network_of_another():
    made = quantize(load("bifsmn").module, "minmax:w8a8", [clips()]).model
    with pytest.raises(ModelError, match="fold=false"):
        Rewriter(made, clips()).thin(4)
    with pytest.raises(ModelError, match="fold=false"):
        thin_(made, 4)
    thin_(made, 8)  # its own


def test_a_module_that_does_nothing_of_its_own_is_no_folded_norm():
    network = load("bifsmn").module
    inside = thinnable(network)
    inside.dropout = nn.Identity()
    assert thinnable(at_depth(network, 4)).depth == 4 and inside.depth == 8
    assert thinnable(Rewriter(network, clips()).thin(4)).depth == 4


@pytest.mark.parametrize("recipe", ["bifsmn:w1a1", "bifsmnv2:w1a1", "bifsmnv2:w1a2"])
def test_every_1x1_convolution_is_really_two_values(recipe):
    made = quantize(load("bifsmn").module, recipe, [clips()])
    for block in made.model.net.blocks:
        for layer in (block.up, block.down, block.memory):
            assert all(len(row.abs().unique()) == 1 for row in layer.weight.detach().flatten(1))
    changed = {layer.name for layer in made.report.layers if layer.changed}
    weighted = {name for name, module in load("bifsmn").module.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}
    assert weighted - changed == {"net.stem.0", "net.linear"}
