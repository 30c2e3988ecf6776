"""Binarized layers of every kind: what torch computes from the signs by hand, and what the packed kernels compute from the bits."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bitproof import kernels
from bitproof.convert import QuantLayer, Recipe, calibrate, insert, quantize
from bitproof.core import ShapeError, SpecError

METHODS = ("bnn", "xnor", "bireal", "xnorpp", "reactnet", "recu", "fda", "dorefa")
LAYERS = {
    "conv1d": (lambda: nn.Conv1d(6, 8, 3, padding=1, groups=2), (2, 6, 9)),
    "conv2d": (lambda: nn.Conv2d(6, 8, 3, stride=2, padding=2, dilation=2, groups=2), (2, 6, 9, 8)),
    "depthwise": (lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), (2, 6, 7, 7)),
    "conv3d": (lambda: nn.Conv3d(4, 6, (1, 3, 2), padding=(0, 1, 1)), (2, 4, 3, 5, 4)),
    "reflect": (lambda: nn.Conv2d(6, 8, 3, padding=1, padding_mode="reflect"), (2, 6, 7, 7)),
    "transposed": (lambda: nn.ConvTranspose2d(6, 8, 3, stride=2, groups=2), (2, 6, 5, 4)),
    "linear": (lambda: nn.Linear(12, 5), (2, 3, 12)),
}


def binarized(recipe, kind, seed=0):
    """A layer between two that stay float, so that it is neither first nor last; returned with its input."""
    make, shape = LAYERS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer, x = make(), torch.randn(shape)
    return only(layer, recipe, [x]), x


def only(layer, recipe, batches):
    text = f"{recipe},first=same,last=same" if ":" in recipe else f"{recipe}:w1a1,first=same,last=same"
    found = quantize(layer, text, batches).model
    assert isinstance(found, QuantLayer)
    return found


def by_hand(layer, x):
    """The layer's own function on q·scale of both sides, its gain and its bias."""
    w_info, x_info = layer.weight_quantizer.info(), layer.input_quantizer.info()
    w = layer.weight_quantizer.codes(layer.layer.weight) * w_info.scale
    x_hat = torch.where(x < x_info.threshold, x_info.low, x_info.high) * x_info.scale
    plain = layer.layer
    bias = plain.bias
    y = torch.func.functional_call(plain, {"weight": w, **({} if bias is None else {"bias": torch.zeros_like(bias)})}, (x_hat,))
    axes = w.ndim - 2
    if layer.gain is not None:
        y = layer.gain(x, y, layer._mean)
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("method", METHODS)
def test_every_layer_is_what_its_numbers_say(method, kind):
    layer, x = binarized(method, kind)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), by_hand(layer, x), rtol=1e-5, atol=1e-5)


def test_xnors_map_is_the_mean_of_what_an_output_sees():
    layer, x = binarized("xnor", "conv2d")
    plain = layer.layer
    expected = []
    for part, weight in zip(x.chunk(2, 1), plain.weight.chunk(2), strict=True):
        alpha = weight.abs().mean((1, 2, 3), keepdim=True)
        signs = F.conv2d(torch.where(part < 0, -1.0, 1.0), torch.where(weight < 0, -1.0, 1.0) * alpha, None, 2, 2, 2)
        k = F.conv2d(part.abs().mean(1, keepdim=True), torch.full((1, 1, 3, 3), 1 / 9), None, 2, 2, 2)
        expected.append(signs * k)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), torch.cat(expected, 1) + plain.bias[:, None, None], rtol=1e-5, atol=1e-5)
        linear, x = binarized("xnor", "linear")
        signs = F.linear(torch.where(x < 0, -1.0, 1.0), linear.weight)
        torch.testing.assert_close(linear(x), signs * x.abs().mean(-1, keepdim=True) + linear.bias)


def test_xnor_scales_approximate_the_float_product_best():
    """With both α and K the output is nearer to the float layer's than with one, and that nearer than with none."""
    make, shape = LAYERS["conv2d"]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.1, 3, 9)[:, None]
    plain = make()
    with torch.no_grad():
        errors = {
            text: float((only(plain, text, [x])(x) - plain(x)).square().mean()) for text in ("xnor", "xnor:w1a1,k=false", "bnn")
        }
    assert errors["xnor"] < errors["xnor:w1a1,k=false"] < errors["bnn"]


def test_xnorpp_scales_rows_and_columns():
    layer, x = binarized("xnorpp", "conv2d")
    rows, columns = layer.gain.axes
    with torch.no_grad():
        rows.copy_(torch.linspace(0.5, 2, len(rows)))
        columns.copy_(torch.linspace(-1, 1, len(columns)))
        plain = F.conv2d(torch.where(x < 0, -1.0, 1.0), layer.weight, None, 2, 2, 2, 2)
        expected = plain * torch.outer(rows, columns) + layer.bias[:, None, None]
        torch.testing.assert_close(layer(x), expected)
        with pytest.raises(ShapeError, match="spatial=false"):
            layer(x[..., :4])


@pytest.mark.parametrize("method", METHODS)
def test_a_stored_network_comes_back(method):
    """Also what is made only when data are seen: XNOR++'s scales and FDA's noise."""
    layer, x = binarized(method, "conv2d")
    fresh = insert(LAYERS["conv2d"][0](), f"{method}:w1a1,first=same,last=same", x).model
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x), layer(x))


def packed(layer, x):
    """The layer on bits, from what it tells alone: codes and scale of the weight, threshold and low code of the input, gain."""
    plain, w_info, x_info = layer.layer, layer.weight_quantizer.info(), layer.input_quantizer.info()
    signs = layer.weight_quantizer.codes(plain.weight).numpy()
    w = kernels.pack_weight(signs, getattr(plain, "groups", 1))
    assert np.array_equal(w.unpack().reshape(signs.shape), signs)
    threshold, each = x_info.threshold.reshape(-1).numpy(), (-1, *[1] * (signs.ndim - 2))
    bits = kernels.pack(x.numpy(), axis=1 if signs.ndim > 2 else -1, threshold=threshold)
    if signs.ndim == 2:
        y = torch.from_numpy(kernels.gemm(bits, w))
    else:
        steps = {"stride": plain.stride, "padding": plain.padding, "dilation": plain.dilation}
        y = torch.from_numpy(kernels.conv2d(bits, w, pad=0 if x_info.low == -1 else -1, **steps)).permute(0, 3, 1, 2)
    if x_info.low == 0:
        y = (y + torch.from_numpy(signs.sum(tuple(range(1, signs.ndim)))).reshape(each)) / 2
    y = y * w_info.scale.reshape(each) * x_info.scale
    y = y if layer.gain is None else layer.gain(x, y, layer._mean)
    return y if plain.bias is None else y + plain.bias.reshape(each)


@pytest.mark.parametrize("kind", ["conv2d", "depthwise", "linear"])
@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_packed_bits_give_the_same_outputs(method, kind):
    layer, x = binarized(method, kind)
    torch.testing.assert_close(packed(layer, x), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_network_on_packed_bits_gives_the_same_logits(method, monkeypatch):
    """Weights have moved, thresholds, scales and gains too; where a sum ends within rounding of 0, the next sign may differ."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        convs = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1, groups=2), nn.BatchNorm2d(16)
        rest = nn.ReLU(), nn.Conv2d(16, 8, 1), nn.Flatten(), nn.Linear(128, 24), nn.BatchNorm1d(24), nn.Linear(24, 3)
        x, y = torch.randn(32, 3, 8, 8), torch.arange(32) % 3
        model = quantize(nn.Sequential(*convs, *rest), f"{method}:w1a1", [x]).model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    assert all(not torch.equal(before[key], value) for key, value in model.state_dict().items() if key.endswith("layer.weight"))
    with torch.no_grad():
        simulated = model(x)
        monkeypatch.setattr(QuantLayer, "forward", packed)
        torch.testing.assert_close(model(x), simulated, rtol=1e-4, atol=1e-4)


def test_a_side_may_stay_float():
    plain, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        weights = only(plain, "bireal:w1a32", [x])
        torch.testing.assert_close(weights(x), F.conv2d(x, weights.weight, plain.bias))
        assert weights.input_quantizer is None and len(weights.weight[0].abs().unique()) == 1
        inputs = only(plain, "bireal:w32a1", [x])
        torch.testing.assert_close(inputs(x), F.conv2d(torch.where(x < 0, -1.0, 1.0), plain.weight, plain.bias))
    assert (Recipe.parse("bireal:w1a32").relu, Recipe.parse("bireal:w1a1").relu) == ("keep", "hardtanh")
    assert (
        "weights symmetric per channel, activations float" in insert(plain, "bireal:w1a32,first=same,last=same", x).report.defaults
    )
    with pytest.raises(SpecError, match="w32a32"):
        Recipe.parse("bnn:w32a32")


def test_a_relu_before_a_sign_is_made_hardtanh_and_told():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.ReLU6(), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(2, 3, 8, 8)
    net(x)
    model, report = quantize(net, "bireal:w1a1", [x])
    assert [type(m) for m in model if not list(m.children())].count(nn.Hardtanh) == 2 and report.replaced == ("1", "3")
    assert "2 ReLU made Hardtanh" in str(report) and "ReLU made Hardtanh" in report.defaults
    assert [layer.reason for layer in report.layers] == ["first=float", "", "last=float"]
    assert isinstance(net[1], nn.ReLU)
    with pytest.raises(SpecError, match=r"Layer '2', input: it is never negative"):
        quantize(net, "bireal:w1a1,relu=keep", [x])
    assert quantize(net, "dorefa:w1a1", [x]).report.replaced == ()


@pytest.mark.parametrize("gelu", [nn.GELU(), nn.GELU(approximate="tanh")])
def test_what_gelu_leaves_of_negative_values_keeps_its_sign(gelu):
    """float32 rounds GELU's tail to −0, whose sign is +1; float64 does not."""
    x = torch.full((1, 4), -7.0)
    assert not gelu(x).any() and (gelu(x.double()) < 0).all()
    model, report = quantize(
        nn.Sequential(nn.Linear(4, 4), gelu, nn.Linear(4, 3)), "bibert:w1a1,first=float,last=same", [torch.randn(8, 4)]
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(4))
        model[0].bias.zero_()
        torch.testing.assert_close(model(x), model.double()(x.double()).float())
        torch.testing.assert_close(model[1](x), gelu(x.double()).float(), atol=2e-4, rtol=0)
    assert report.kept == ("1",) and "1 activations kept from rounding negatives to 0" in str(report)


@pytest.mark.parametrize("recipe", ["elastic:w1a1", "dorefa:w1a1", "minmax:w8a8", "bibert:w1a32"])
def test_activations_stay_where_no_code_changes_at_zero(recipe):
    net = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 3))
    model, report = quantize(net, recipe, [torch.randn(8, 4)])
    assert not report.kept and isinstance(model[3], nn.GELU)


def test_layers_on_a_shortcut_stay_float_by_name():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.body, self.downsample, self.head = (nn.Conv2d(3, 3, 1) for _ in range(4))

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.body(x) + self.downsample(x)).mean((2, 3))

    x = torch.randn(2, 3, 4, 4)
    report = quantize(Net(), "bnn:w1a1", [x]).report
    assert {layer.name: layer.reason for layer in report.layers if not layer.changed} == {
        "stem": "first=float",
        "downsample": "kept by keep=downsample|shortcut",
        "head": "last=float",
    }
    both = quantize(Net(), 'bnn:w1a1,keep=""', [x]).report
    assert [layer.name for layer in both.layers if layer.changed] == ["body", "downsample"]
    with pytest.raises(SpecError, match="found in no layer"):
        quantize(Net(), "bnn:w1a1,keep=nowhere", [x])


def test_the_kept_weight_follows_the_training_mode():
    """FDA's noise must not stay in the weight that evaluation keeps."""
    layer, x = binarized("fda", "linear")
    with torch.no_grad():
        evaluated = layer(x)
        assert not torch.equal(layer.train()(x), evaluated)
        assert torch.equal(layer.eval()(x), evaluated)


def test_a_network_is_calibrated_anew():
    layer, x = binarized("xnorpp", "conv2d")
    calibrate(layer, [x])
    assert len(layer.gain.axes) == 2


@pytest.mark.parametrize("method", METHODS)
def test_the_split_into_batches_changes_nothing(method):
    layer, x = binarized(method, "conv2d")
    parts = only(LAYERS["conv2d"][0](), method, [x])
    parts.layer.load_state_dict(layer.layer.state_dict())
    calibrate(parts, x.split(1))
    with torch.no_grad():
        torch.testing.assert_close(torch.cat([parts(one) for one in x.split(1)]), layer(x), rtol=1e-5, atol=1e-5)
