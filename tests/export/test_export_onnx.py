"""The file holds the quantizers' own integers, and onnxruntime computes with them what the simulation computes."""

import collections
import copy

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from export_networks import exact, low_bit, network, pictures  # noqa: E402

from bitproof.convert import quantize  # noqa: E402
from bitproof.core import ModelError, SpecError  # noqa: E402
from bitproof.export import Deployment, gap, low_bit_layers, session, settled, to_onnx  # noqa: E402
from bitproof.quantizers import QUANTIZERS  # noqa: E402


class Padded(nn.Conv2d):
    """Pads in its own forward, as timm's and EfficientNet's 'same' convs do."""

    def forward(self, x):
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


MIDDLES = {
    "conv": lambda c: nn.Conv2d(c, c, 3, stride=2, padding=1),
    "dilated": lambda c: nn.Conv2d(c, c, 3, padding=2, dilation=2),
    "grouped": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=2),
    "depthwise": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=c),
    "pads itself": lambda c: Padded(c, c, 3, stride=2),
    "padded before": lambda c: nn.Sequential(nn.ZeroPad2d((0, 1, 1, 0)), nn.Conv2d(c, c, 3)),
}


def kernels(exported):
    return {layer.name: layer.kernel for layer in exported.layers}


def same_codes(found):
    return {name: difference.largest for name, difference in found.layers.items()} == dict.fromkeys(found.layers, 0.0)


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize(
    "recipe", ["minmax:w8a8", "minmax:w4a4,per=tensor,symmetric=true", "minmax:w2a3,symmetric=true", "minmax:w5a2"]
)
@pytest.mark.parametrize(("window", "last"), [(1, "MatMulInteger"), (3, "ConvInteger")])
def test_exact_arithmetic_gives_the_same_codes_and_logits(middle, recipe, window, last):
    model, x = exact(low_bit(network(MIDDLES[middle], window=window), recipe)), pictures()
    exported = settled(to_onnx(model, x[:2]))
    assert list(kernels(exported).values()) == ["QLinearConv", "QLinearConv", last, "MatMulInteger"]
    found = gap(model, exported, x.split(2))
    assert same_codes(found) and found.flipped == 0 and found.n == len(x)
    torch.testing.assert_close(session(exported, x)(x), model(x).detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", ["true", "false"])
def test_signed_and_affine_inputs_at_every_width(bits, symmetric):
    model = exact(low_bit(network(MIDDLES["conv"], nn.Identity), f"minmax:w{bits}a{bits},symmetric={symmetric}"))
    x = pictures()
    assert bool(low_bit_layers(model)["2"].input_quantizer.signed) is (symmetric == "true")
    exported = to_onnx(model, x[:2])
    assert same_codes(gap(model, exported, [x]))
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(exported.graph).graph.initializer}
    for name, layer in low_bit_layers(model).items():
        codes = layer.weight_quantizer.codes(layer.layer.weight).numpy()
        found = stored.get(f"{name}.weight_codes", stored.get(f"{name}.weight_codes.turned"))
        assert found.dtype == np.int8 and np.array_equal(found, codes if found.shape == codes.shape else codes.squeeze().T)


SEVERAL_BITS = [method for method in QUANTIZERS if 4 in QUANTIZERS.load(method).widths]


FAST = {"adaround": ",steps=20"}


@pytest.mark.parametrize("recipe", [*(f"{method}:w4a4{FAST.get(method, '')}" for method in SEVERAL_BITS), "dorefa:w1a1"])
def test_every_method_can_be_exported(recipe):
    model, x = low_bit(network(MIDDLES["conv"]), recipe), pictures()
    found = gap(model, to_onnx(model, x[:2], bias="float"), [x])
    assert max(difference.share for difference in found.layers.values()) < 0.01
    assert found.logits.sqnr_db > 30


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        *((f"{m}:w1a1", "more than scale|further factor") for m in QUANTIZERS if m not in SEVERAL_BITS),
        ("mse:w4a32", "side of it is float"),
    ],
)
def test_what_is_no_integer_product_is_refused(recipe, says):
    model, x = low_bit(network(MIDDLES["conv"], nn.Hardtanh), recipe), pictures()
    with pytest.raises(ModelError, match=says):
        to_onnx(model, x[:2])


@pytest.mark.parametrize("activation", [nn.ReLU6, lambda: nn.Hardtanh(-0.4, 0.3)])
def test_an_activation_that_clips_goes_into_the_codes(activation):
    model, x = exact(low_bit(network(MIDDLES["conv"], activation), "minmax:w8a4,symmetric=true")), 4 * pictures()
    with torch.no_grad():
        low_bit_layers(model)["2"].input_quantizer.scale.mul_(4)  # the codes reach beyond the activation now
    exported = settled(to_onnx(model, x[:2]))
    assert kernels(exported)["0"] == "QLinearConv"
    found = gap(model, exported, [x])
    assert found.layers["2"].largest == 0


def test_a_batch_norm_goes_into_scales_whatever_its_sign():
    model = network(lambda c: nn.Sequential(nn.Conv2d(c, c, 3, bias=False), nn.BatchNorm2d(c)))
    with torch.no_grad():
        norm = model[2][1]
        norm.weight.copy_(torch.tensor([1.0, -1, 0.5, -0.25, 2, 1, 0, 1]))
        norm.bias.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
        norm.running_mean.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    x = pictures()
    low = low_bit(model, "minmax:w6a8,fold=false")
    exported = settled(to_onnx(low, x[:2]))
    assert kernels(exported)["2.0"] == "QLinearConv"
    operators = collections.Counter(node.op_type for node in onnx.load_from_string(exported.graph).graph.node)
    assert operators["BatchNormalization"] == 0
    found = gap(low, exported, [x])
    assert found.layers["4"].share < 0.05 and found.layers["4"].largest <= 1


def test_a_dead_channel_leaves_room_for_its_bias():
    model = network(MIDDLES["depthwise"])
    with torch.no_grad():
        model[2].weight[3] *= 1e-12
        model[2].bias[3] = 5.0
    low, x = low_bit(model, "minmax:w8a8"), pictures()
    exported = settled(to_onnx(low, x[:2]))
    assert kernels(exported)["2"] == "QLinearConv"
    assert gap(low, exported, [x]).logits.sqnr_db > 30


def test_two_layers_that_quantize_alike_share_the_codes():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x).relu()
            return self.head((self.a(x) + self.b(x)).mean((2, 3)))

    low, x = exact(low_bit(Fork(), "minmax:w8a8")), pictures()
    exported = settled(to_onnx(low, x[:2]))
    assert kernels(exported)["stem"] == "QLinearConv" and exported.codes["a"].tensor == exported.codes["b"].tensor
    assert same_codes(gap(low, exported, [x]))


def test_a_layer_that_runs_twice_and_one_that_has_no_integer_kernel():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.twice, self.up = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.ConvTranspose2d(8, 8, 2, 2)
            self.round, self.head = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), nn.Linear(8, 5)

        def forward(self, x):
            x = self.twice(self.twice(self.stem(x)).relu())
            return self.head(self.round(self.up(x)).mean((2, 3)))

    low, x = exact(low_bit(Odd(), "minmax:w8a8")), pictures()
    exported = settled(to_onnx(low, x[:2]))
    reasons = {layer.name: layer.reason for layer in exported.layers if not layer.kernel}
    assert reasons.pop("up") == "onnxruntime has no integer kernel for ConvTranspose"
    assert "stands between" in reasons.pop("round") and not reasons
    torch.testing.assert_close(session(exported, x)(x), low(x).detach(), rtol=1e-4, atol=1e-4)


def test_the_given_network_stays_as_it_is():
    model, x = low_bit(network(MIDDLES["conv"]), "lsq:w4a4"), pictures()
    before, y = copy.deepcopy(model.state_dict()), model(x)
    to_onnx(model, x[:2])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(model(x), y)


def test_the_file_is_small_and_takes_any_batch():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wide = nn.Sequential(
            nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 128, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(1152, 10)
        )
    x = pictures()
    small, large = to_onnx(low_bit(wide.eval(), "minmax:w8a8"), x[:2]), to_onnx(wide, x[:2])
    assert small.size_bytes < 0.3 * large.size_bytes
    run = session(large, x)
    for n in (1, 5):
        torch.testing.assert_close(run(x[:n]), wide(x[:n]).detach(), rtol=1e-4, atol=1e-5)
    assert large.layers == () and large.codes == {}


@pytest.mark.parametrize("inside", [nn.SiLU, nn.GELU])
def test_a_product_without_a_quantizer_behind_it_is_integer_all_the_same(inside):
    model, x = low_bit(network(MIDDLES["conv"], inside), "minmax:w8a8"), pictures()
    exported = settled(to_onnx(model, x[:2]))
    assert set(kernels(exported).values()) == {"ConvInteger", "MatMulInteger"}
    assert gap(model, exported, [x]).logits.sqnr_db > 40


def test_linear_layers_on_tokens():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.mix, self.head = nn.Linear(36, 16), nn.Linear(16, 16, bias=False), nn.Linear(16, 5)

        def forward(self, x):
            return self.head(self.mix(self.embed(x.flatten(1).unflatten(1, (12, 36))).relu()).mean(1))

    low, x = exact(low_bit(Tokens(), "minmax:w6a6")), pictures()
    exported = settled(to_onnx(low, x[:2]))
    assert all(kernels(exported).values())
    assert same_codes(gap(low, exported, [x]))


def test_what_onnx_cannot_say_is_refused():
    model, x = low_bit(network(MIDDLES["conv"]), "minmax:w8a8"), pictures()
    layer = low_bit_layers(model)["2"]
    twisted = copy.deepcopy(model)
    quantizer = low_bit_layers(twisted)["2"].input_quantizer
    quantizer.transform = lambda x: x.square()
    with pytest.raises(ModelError, match=r"'2': the quantizer of its input does more than scale"):
        to_onnx(twisted, x[:2])
    layer.weight_quantizer.codes = lambda w: (w, w)
    with pytest.raises(ModelError, match=r"'2': its weight's codes are no 8-bit integers"):
        to_onnx(model, x[:2])
    with pytest.raises(SpecError, match="int32 or float"):
        to_onnx(model, x[:2], bias="int8")
    with pytest.raises(ModelError, match="torch cannot write"):
        to_onnx(nn.Sequential(Branches()), x[:2])


class Branches(nn.Module):
    def forward(self, x):
        return torch.linalg.lstsq(x.flatten(2)[..., :3], x.flatten(2)[..., 3:]).solution.flatten(1)


def test_only_a_low_bit_torch_network_is_deployed():
    model, x = network(MIDDLES["conv"]), pictures()
    with pytest.raises(ModelError, match=r"minmax:w8a8"):
        Deployment(model, x[:2]).integers("onnxruntime")
    with pytest.raises(ModelError, match="finished session"):
        Deployment(model, x[:2], finished=True).integers("onnxruntime")
    with pytest.raises(ModelError, match="no engine 'tensorrt'"):
        Deployment(model, x[:2]).integers("tensorrt")
    low = quantize(model, "minmax:w8a8", [x]).model
    y = Deployment(low, x[:2]).integers("onnxruntime")(x)
    assert not y.requires_grad
    torch.testing.assert_close(y, low(x).detach(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("window", [1, 3])
def test_fast_has_no_convs_of_integers_without_a_fused_kernel(window):
    model = quantize(network(MIDDLES["conv"], window=window), "minmax:w8a8,first=same,last=same", [pictures(8)]).model
    x = pictures(4, seed=3)
    plain, fast = to_onnx(model, x), to_onnx(model, x, fast=True)
    assert list(kernels(plain).values())[2:] == ["MatMulInteger" if window == 1 else "ConvInteger", "MatMulInteger"]
    assert list(kernels(fast).values())[2:] == ["MatMulInteger" if window == 1 else "", "MatMulInteger"]
    assert all("quicker" in layer.reason for layer in fast.layers if not layer.kernel)
    for exported in (plain, fast):
        assert session(exported, x)(x).sub(model(x)).abs().max() < 0.05 * model(x).abs().max()
    torch.testing.assert_close(session(plain, x)(x), session(fast, x)(x), rtol=1e-4, atol=1e-4)


MOVED = {
    "strided": lambda c: nn.Conv2d(c, c, 1, stride=2),
    "padded": lambda c: nn.Conv2d(c, c, 1, padding=1),
    "grouped": lambda c: nn.Conv2d(c, c, 1, groups=2),
}


@pytest.mark.parametrize("middle", MOVED)
def test_a_conv_of_one_pixel_that_moves_or_groups_is_no_matrix(middle):
    model, x = exact(low_bit(network(MOVED[middle], nn.Softplus), "minmax:w8a8")), pictures()
    exported = to_onnx(model, x[:2])
    assert kernels(exported)["2"] == "ConvInteger"
    torch.testing.assert_close(session(exported, x)(x), model(x).detach(), rtol=1e-4, atol=1e-4)


def test_pixels_of_a_line_and_of_a_volume():
    class Along(nn.Module):
        def __init__(self, conv, size):
            super().__init__()
            self.first, self.second, self.size = conv(3, 6, 1), conv(6, 4, 1), size

        def forward(self, x):
            x = self.second(nn.functional.gelu(self.first(x.reshape(-1, 3, *self.size))))
            return x.flatten(1)

    for conv, size in ((nn.Conv1d, (144,)), (nn.Conv3d, (4, 6, 6))):
        model, x = low_bit(Along(conv, size).eval(), "minmax:w8a8"), pictures()
        exported = to_onnx(model, x[:2])
        assert set(kernels(exported).values()) == {"MatMulInteger"}
        torch.testing.assert_close(session(exported, x)(x), model(x).detach(), rtol=0.05, atol=0.05)


def test_fast_needs_integers():
    model, x = low_bit(network(MIDDLES["conv"]), "minmax:w8a8"), pictures(2)
    with pytest.raises(SpecError, match="no integers"):
        to_onnx(model, x, bias="float", fast=True)
