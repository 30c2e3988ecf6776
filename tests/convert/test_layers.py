import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from networks import Padded, pictures
from torch import nn

from bitproof.convert import QuantLayer, Recipe, quantize
from bitproof.convert.layers import WEIGHTED, output_axis

LAYERS = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (2, 4, 19), F.conv1d),
    (nn.Conv2d(4, 6, 3, padding="same", bias=False), (2, 4, 9, 9), F.conv2d),
    (nn.Conv2d(4, 4, 3, groups=4, stride=2), (2, 4, 9, 9), F.conv2d),
    (nn.Conv3d(4, 6, 3, padding=1), (2, 4, 5, 5, 5), F.conv3d),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2), (2, 4, 9), F.conv_transpose1d),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=2), (2, 4, 5, 5), F.conv_transpose2d),
    (nn.ConvTranspose3d(4, 6, 3, bias=False), (2, 4, 3, 3, 3), F.conv_transpose3d),
    (nn.Linear(4, 6), (2, 3, 4), F.linear),
]


def functional(call, layer, x, w):
    if call is F.linear:
        return call(x, w, layer.bias)
    words = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation, "groups": layer.groups}
    return call(x, w, layer.bias, **words)


def by_hand(x, s, z, low, high):
    return (torch.clamp(torch.round(x / s) + z, low, high) - z) * s


@pytest.mark.parametrize(("layer", "shape", "call"), LAYERS, ids=lambda v: getattr(v, "__name__", str(v))[:70])
@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_every_argument_of_the_layer_is_kept(layer, shape, call, per):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    converted = quantize(layer, f"minmax:w4a4,first=same,per={per}", [x])
    assert isinstance(converted.model, QuantLayer) and isinstance(layer, WEIGHTED)
    w, out = layer.weight, layer.weight.ndim + output_axis(layer)
    others = [d for d in range(w.ndim) if d != out]
    bound = w.abs().amax(others, keepdim=True) if per == "channel" else w.abs().max()
    w_hat = by_hand(w, bound / 7, 0, -8, 7)
    lo, hi = x.min().clamp(max=0), x.max().clamp(min=0)
    s = (hi - lo) / 15
    x_hat = by_hand(x, s, torch.round(-lo / s), 0, 15)
    torch.testing.assert_close(converted.model(x), functional(call, layer, x_hat, w_hat), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(mode):
    layer = nn.Conv2d(3, 4, 3, padding=1, padding_mode=mode)
    x = pictures()
    got = quantize(layer, "minmax:w8a8", [x]).model(x)
    torch.testing.assert_close(got, layer(x), rtol=0, atol=0.05)


def test_a_forward_of_its_own_is_kept_and_pads_with_exact_zeros():
    layer = Padded(3, 4, 3)
    x = pictures() + 5  # affine, zero point far from the middle
    low_bit = quantize(layer, "minmax:w4a4,first=same", [x]).model
    x_hat = low_bit.input_quantizer(x)
    torch.testing.assert_close(low_bit(x), F.conv2d(F.pad(x_hat, (0, 1, 0, 1)), low_bit.weight, layer.bias))


def test_the_layers_attributes_stay_readable():
    low_bit = quantize(nn.Conv2d(3, 4, 3, stride=2), "minmax:w4a4", [pictures()]).model
    assert (low_bit.in_channels, low_bit.stride, low_bit.bias.shape) == (3, (2, 2), (4,))
    assert low_bit.weight.unique().numel() > 16  # first layer, per channel at 8 bits
    with pytest.raises(AttributeError, match="nothing"):
        low_bit.nothing  # noqa: B018


def test_copies_and_pickles():
    x = pictures()
    low_bit = quantize(nn.Conv2d(3, 4, 3), "lsq:w4a4", [x]).model
    expected = low_bit(x)
    for other in (copy.deepcopy(low_bit), pickle.loads(pickle.dumps(low_bit))):
        assert torch.equal(other(x), expected)


def count_calls(low_bit):
    calls = []
    low_bit.weight_quantizer.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_the_weight_is_computed_once_in_evaluation():
    x = pictures()
    low_bit = quantize(nn.Conv2d(3, 4, 3), "lsq:w4a4", [x]).model
    calls = count_calls(low_bit)
    with torch.no_grad():
        for _ in range(3):
            low_bit(x)
    assert len(calls) == 1
    low_bit(x).sum().backward()  # a gradient is wanted: computed with its graph
    assert len(calls) == 2 and low_bit.layer.weight.grad is not None


def test_the_cached_weight_follows_every_change():
    x = pictures()
    low_bit = quantize(nn.Conv2d(3, 4, 3), "lsq:w4a4", [x]).model
    with torch.no_grad():
        before = low_bit(x)
        state = copy.deepcopy(low_bit.state_dict())
        low_bit.layer.weight.mul_(0.5)
        changed = low_bit(x)
        assert not torch.equal(changed, before)
        low_bit.weight_quantizer.scale.mul_(0.5)
        assert not torch.equal(low_bit(x), changed)
        low_bit.load_state_dict(state)
        assert torch.equal(low_bit(x), before)
        low_bit.layer.weight = nn.Parameter(low_bit.layer.weight * 2)
        assert not torch.equal(low_bit(x), before)


def test_a_weight_cached_in_inference_mode_serves_an_attack():
    x = pictures()
    low_bit = quantize(nn.Conv2d(3, 4, 3), "minmax:w4a4", [x]).model.requires_grad_(False)
    with torch.inference_mode():
        expected = low_bit(x)
    attacked = x.clone().requires_grad_()
    y = low_bit(attacked)
    y.sum().backward()
    assert torch.equal(y.detach(), expected) and (attacked.grad != 0).any()


def test_transposed_axis():
    assert output_axis(nn.ConvTranspose2d(2, 3, 1)) == -3
    assert output_axis(nn.Conv2d(2, 3, 1)) == -4
    assert output_axis(nn.Linear(2, 3)) == -2
    assert Recipe("minmax", 4, 4).quantizer("weight", 4, 3, -3).shape == (3, 1, 1)
