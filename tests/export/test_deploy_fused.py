"""Programs: the same numbers with fewer steps."""

import pytest
import torch
from test_deploy import METHODS, draw
from torch import nn

import bitproof as bp
from bitproof.core import ModelError
from bitproof.export import low_bit_layers

X = draw((3, 3, 9, 9))


def exact(model):
    """Norms, scales and biases whose float arithmetic does not round: powers of two and multiples of a 16th."""
    with torch.no_grad():
        for norm in [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]:
            norm.eps = 0.0
            n = torch.arange(norm.num_features)
            norm.weight.copy_(torch.where(n % 3 == 0, -0.5, 1.0))
            for value in (norm.bias, norm.running_mean):
                value.copy_((n % 7 - 3) / 8 + 1 / 16)
            norm.running_var.copy_(torch.where(n % 2 == 0, 4.0, 1.0))
        for layer in low_bit_layers(model).values():
            layer.layer.weight.copy_(torch.where(layer.layer.weight < 0, -0.25, 0.25))
            for name, value in layer.weight_quantizer.named_parameters():
                value.copy_(0.25 if name == "scale" else 0)
    return model


def same(program, x, expected):
    """Step by step the numbers are the same; in native code those of float layers may be summed in another order."""
    assert torch.equal(program.stepwise(x), expected)
    torch.testing.assert_close(program(x), expected, rtol=1e-5, atol=1e-6)


def block(c, padding=1, pad=None):
    border = [] if pad is None else [nn.ConstantPad2d(padding, pad)]
    return [*border, nn.Conv2d(c, c, 3, padding=0 if border else padding, bias=False), nn.BatchNorm2d(c), nn.Hardtanh()]


def chain(recipe, pad=None):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 40, 1), nn.Hardtanh(), *block(40, pad=pad), *block(40, pad=pad), *block(40, pad=pad)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 5))
    return exact(bp.quantize(net, f"{recipe},relu=keep", [X]).model)


@pytest.mark.parametrize("method", METHODS)
def test_between_binary_layers_only_bits_go_and_the_numbers_stay(method):
    model = chain(METHODS[method])
    found, plain = bp.deploy(model, X[:2]), bp.deploy(model)
    assert found.report.fused == {"norms": 3, "clips": 3, "cuts": 2} and "2 cuts" in str(found.report)
    with torch.no_grad():
        assert torch.equal(plain.model(X), model(X))
        same(found.model, X, model(X))
        same(found.model, X[:1], model(X[:1]))


@pytest.mark.parametrize("pad", [1.0, -1.0, 0.0])
def test_a_border_of_ones_becomes_the_kernels(pad):
    model = chain("bireal:w1a1", pad)
    found = bp.deploy(model, X)
    assert found.report.fused["borders"] == 3 and found.report.fused["cuts"] == 2
    with torch.no_grad():
        same(found.model, X, model(X))


def test_thresholds_that_differ_keep_floats_between_layers():
    model = chain("reactnet:w1a1")
    with torch.no_grad():
        for i, layer in enumerate(low_bit_layers(model).values()):
            layer.input_quantizer.theta.copy_(torch.linspace(-1.5, 0.5, 40).reshape(-1, 1, 1) * (i + 1) / 4)
    found = bp.deploy(model, X)
    assert found.report.fused == {"norms": 3, "clips": 2, "cuts": 1}  # the last one's thresholds lie beyond the clip

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.side, self.other = model[:5], model[5], model[8]

        def forward(self, x):
            y = self.body(x)
            return self.side(y).sum(dim=(2, 3)) + self.other(y).sum(dim=(2, 3))

    both = bp.deploy(Two(), X)
    assert "cuts" not in both.report.fused
    with torch.no_grad():
        same(found.model, X, model(X))
        torch.testing.assert_close(both.model(X), Two()(X))


def test_what_a_step_changes_in_place_and_what_is_left_simulated_are_kept():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.conv, self.one = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.Conv1d(6, 6, 3)
            self.last = nn.Linear(6, 4)

        def forward(self, x):
            y = self.first(x)
            z = self.conv(y)
            y.relu_()
            return self.last(self.one((y + z).flatten(2)).mean(2))

    model = bp.quantize(Net(), "recu:w1a1", [X]).model
    found = bp.deploy(model, X)
    with torch.no_grad():
        torch.testing.assert_close(found.model(X), model(X))


def test_a_network_that_is_no_list_of_steps_says_what_it_calls():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1))

        def forward(self, x):
            return torch.fft.rfft(self.net(x)).abs().sum((2, 3))

    model = bp.quantize(Net(), "bireal:w1a1", [X]).model
    with pytest.raises(ModelError, match="fft"):
        bp.deploy(model, X)

    class Length(Net):
        def forward(self, x):
            return self.net(x).reshape(len(x), -1)

    with pytest.raises(ModelError, match="shape\\[0\\]"):
        bp.deploy(bp.quantize(Length(), "bireal:w1a1", [X]).model, X)

    class Piece(Net):
        def forward(self, x):
            first, second = self.net(x).chunk(2, 1)
            return (first.relu_() + second).sum((2, 3))

    with pytest.raises(ModelError, match="The network calls aten"):
        bp.deploy(bp.quantize(Piece(), "bireal:w1a1", [X]).model, X)

    class Branch(Net):
        def forward(self, x):
            return self.net(x) if x.sum() > 0 else x

    with pytest.raises(ModelError, match="cannot export Branch"):
        bp.deploy(bp.quantize(Branch(), "bireal:w1a1", [X.abs()]).model, X)


def test_parts_of_a_result_and_layers_that_run_twice():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.mix, self.norm, self.last = nn.Linear(9, 12), nn.Linear(12, 12), nn.LayerNorm(12), nn.Linear(4, 3)

        def forward(self, x):
            a, b, c = self.mix(self.norm(self.mix(self.first(x)))).clone(memory_format=torch.contiguous_format).chunk(3, -1)
            y = (a * b + c).transpose(1, 2).transpose(1, 2)
            return self.last(y.view(x.shape[0], -1, 4).mean(1))

    model = bp.quantize(Net(), "reactnet:w1a1", [X]).model
    found = bp.deploy(model, X)
    assert len(found.model.products) == 1 and found.report.packed == 1
    with torch.no_grad():
        torch.testing.assert_close(found.model(X), model(X))


def test_a_norm_of_its_batchs_own_statistics_stays_a_norm():
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 40, 1), nn.Hardtanh(), nn.Conv2d(40, 40, 3, bias=False), nn.BatchNorm2d(40, track_running_stats=False)]
    net = nn.Sequential(*body, nn.Hardtanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 5)).eval()
    model = bp.quantize(net, "bireal:w1a1", [X]).model
    with torch.inference_mode():
        torch.testing.assert_close(bp.deploy(model, X).model(X), model(X), rtol=1e-4, atol=1e-5)
