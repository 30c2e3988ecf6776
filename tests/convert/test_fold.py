import copy

import pytest
import torch
from networks import Branching, Residual, lively, pictures
from torch import nn

from bitproof.convert import fused, quantize
from bitproof.convert.flow import registered, trace, watch
from bitproof.convert.fold import Folded, fold_, folded

PAIRS = [
    (nn.Conv1d(4, 6, 3, groups=2), nn.BatchNorm1d(6), (2, 4, 9)),
    (nn.Conv2d(4, 6, 3, dilation=2, padding=2, padding_mode="reflect"), nn.BatchNorm2d(6), (2, 4, 9, 9)),
    (nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.BatchNorm2d(4, affine=False), (2, 4, 9, 9)),
    (nn.Conv3d(4, 6, 3, bias=False), nn.BatchNorm3d(6), (2, 4, 5, 5, 5)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2), nn.BatchNorm1d(6), (2, 4, 9)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, output_padding=1), nn.BatchNorm2d(6), (2, 4, 5, 5)),
    (nn.ConvTranspose3d(4, 6, 3, groups=2, bias=False), nn.BatchNorm3d(6), (2, 4, 3, 3, 3)),
    (nn.Linear(4, 6), nn.BatchNorm1d(6), (5, 4)),
    (nn.Linear(4, 6, bias=False), nn.SyncBatchNorm(6), (5, 4)),
]


@pytest.mark.parametrize(("layer", "norm", "shape"), PAIRS, ids=lambda v: str(v)[:60])
def test_folding_keeps_the_function(layer, norm, shape):
    lively(norm)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before = copy.deepcopy(layer.state_dict())
    torch.testing.assert_close(folded(layer, norm)(x), norm(layer(x)), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(before[key], value) for key, value in layer.state_dict().items())


def test_channels_and_statistics_have_to_fit():
    with pytest.raises(ValueError, match="channels"):
        folded(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(8))
    with pytest.raises(ValueError, match="statistics"):
        folded(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))


@pytest.mark.parametrize("kind", [Residual, Branching])
def test_only_what_keeps_the_output_is_folded(kind):
    """The stem's norm alone can go: one conv runs twice, the other's output is used beside its norm too."""
    model, x = lively(kind()), pictures()
    expected = model(x)
    flow = watch(model, x)
    assert flow.order == ["stem", "twice", "branch", "head"]
    assert flow.pairs == {"stem": "bn", "branch": "bn_branch"}
    assert fold_(model, flow.pairs, x) == {"stem": "bn"}
    assert isinstance(model.bn, Folded) and isinstance(model.bn_branch, nn.BatchNorm2d)
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_a_graph_knows_the_branch_without_data():
    flow = trace(lively(Residual()))
    assert flow.order == ["stem", "twice", "branch", "head"]
    assert flow.pairs == {"stem": "bn"}
    assert trace(Branching()) is None
    assert registered(Residual()).order == ["head", "twice", "branch", "stem"]


def test_a_wrong_pair_is_put_back():
    model, x = (
        lively(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))),
        pictures(),
    )
    expected = model(x)
    assert fold_(model, {"0": "2", "3": "4"}, x) == {"3": "4"}
    assert isinstance(model[2], nn.BatchNorm2d)
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_what_a_norm_does_beside_stays():
    timm_layers = pytest.importorskip("timm.layers")
    norm = lively(timm_layers.BatchNormAct2d(4, act_layer=nn.SiLU))
    layer, x = nn.Conv2d(3, 4, 1), pictures()
    torch.testing.assert_close(Folded(*norm.children())(folded(layer, norm)(x)), norm(layer(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet10t", "tf_efficientnet_lite0", "mobilenetv3_small_050", "regnetx_002", "convnext_atto"])
def test_real_networks_fold_alike_watched_and_traced(name):
    timm = pytest.importorskip("timm")
    model, x = lively(timm.create_model(name, num_classes=5)), pictures(2, 64)
    expected = model(x)
    watched, traced = watch(model, x), trace(model)
    assert watched == traced
    norms = sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    assert len(fold_(model, watched.pairs, x)) == norms
    torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-3 * float(expected.detach().abs().max()))


def test_an_in_place_relu_between_is_seen():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(4))
    assert watch(lively(model), pictures()).pairs == trace(model).pairs == {}


def input_gradient(model, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).square().sum(), x)[0]


def test_a_float_network_is_fused_and_a_rounding_one_keeps_its_bits():
    model, x = lively(Residual()).eval(), pictures()
    faster = fused(model.to(memory_format=torch.channels_last), x)
    assert isinstance(model.bn, nn.BatchNorm2d) and not isinstance(faster.bn, nn.BatchNorm2d)
    torch.testing.assert_close(faster(x), model(x), rtol=1e-4, atol=1e-5)
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in faster.parameters() if w.ndim == 4)
    low_bit = quantize(model, "lsq:w4a4", [x]).model
    settled = fused(low_bit, x)
    assert torch.equal(settled(x), low_bit(x))
    assert settled.branch.weight_quantizer is None
    assert low_bit.branch.weight_quantizer is not None
    assert torch.equal(input_gradient(settled, x), input_gradient(low_bit, x))
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert fused(plain, x) is plain
