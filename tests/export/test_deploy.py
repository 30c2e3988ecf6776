"""Packed layers against the simulation, for every method and every kind of layer."""

import pytest
import torch
from torch import nn

import bitproof as bp
from bitproof.core import ModelError
from bitproof.export import low_bit_layers
from bitproof.models import load

#: Each as it can be packed.
METHODS = {
    "bnn": "bnn:w1a1",
    "xnor": "xnor:w1a1,k=false",
    "dorefa": "dorefa:w1a1",
    "bireal": "bireal:w1a1",
    "xnorpp": "xnorpp:w1a1,spatial=false",
    "reactnet": "reactnet:w1a1",
    "recu": "recu:w1a1",
    "fda": "fda:w1a1",
}
LAYERS = {
    "plain": (lambda: nn.Conv2d(70, 33, 3, padding=1), (2, 70, 5, 6)),
    "groups": (lambda: nn.Conv2d(6, 8, (3, 2), stride=(2, 1), padding=(2, 0), dilation=2, groups=2), (2, 6, 9, 8)),
    "depthwise": (lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), (2, 6, 7, 7)),
    "reflect": (lambda: nn.Conv2d(6, 8, 3, padding=1, padding_mode="reflect"), (2, 6, 7, 7)),
    "same": (lambda: nn.Conv2d(6, 8, 3, padding="same", dilation=2), (1, 6, 7, 7)),
    "ones around": (lambda: nn.Sequential(nn.ConstantPad2d(1, -1.0), nn.Conv2d(6, 8, 3)), (2, 6, 5, 5)),
    "linear": (lambda: nn.Linear(70, 5), (4, 70)),
    "tokens": (lambda: nn.Linear(70, 5, bias=False), (2, 3, 70)),
}


def draw(shape, seed=0):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return torch.where(x.abs() < 0.05, 0.0, x)


def simulated(recipe, make, shape):
    """A binarized layer whose float arithmetic is exact: scales of ½, biases of quarters; thresholds that are not all 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make()
    model = bp.quantize(model, f"{recipe},first=same,last=same", [draw(shape, seed=1)]).model
    with torch.no_grad():
        for layer in low_bit_layers(model).values():
            w = layer.layer.weight
            w.copy_(torch.where(w < 0, -0.5, 0.5))
            for name, value in [*layer.weight_quantizer.named_parameters(), *layer.input_quantizer.named_parameters()]:
                value.copy_(0.5 if name == "scale" else draw(value.shape, seed=2) / 2)
            if layer.layer.bias is not None:
                layer.layer.bias.copy_((4 * layer.layer.bias).round() / 4)
    return model


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("method", METHODS)
def test_a_packed_layer_is_the_simulated_one(method, kind):
    make, shape = LAYERS[kind]
    model, x = simulated(METHODS[method], make, shape), draw(shape)
    found = bp.deploy(model)
    assert found.report.packed == 1
    with torch.no_grad():
        assert torch.equal(found.model(x), model(x))


def test_a_picture_without_a_batch_and_a_batch_without_rows():
    model = bp.deploy(simulated("bireal:w1a1", *LAYERS["groups"])).model
    x = draw(LAYERS["groups"][1])
    assert torch.equal(model(x[1]), model(x)[1]) and model(x[:0]).shape == (0, *model(x).shape[1:])
    assert bp.deploy(simulated("bireal:w1a1", *LAYERS["tokens"])).model(torch.zeros(0, 3, 70)).shape == (0, 3, 5)


@pytest.mark.parametrize("method", METHODS)
def test_with_any_scale_only_its_rounding_differs(method):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        plain = nn.Conv2d(20, 10, 3, padding=1)
    x = draw((2, 20, 6, 6))
    model = bp.quantize(plain, f"{METHODS[method]},first=same,last=same", [x]).model
    with torch.no_grad():
        torch.testing.assert_close(bp.deploy(model).model(x), model(x), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("xnor:w1a1", "further factor"),
        ("xnorpp:w1a1", "further factor"),
        ("bireal:w1a32", "input is float"),
        ("bireal:w32a1", "weight is float"),
        ("minmax:w8a8", "256 codes"),
    ],
)
def test_what_is_no_product_of_signs_is_refused_with_its_reason(recipe, reason):
    model = bp.quantize(nn.Conv2d(4, 4, 3), f"{recipe},first=same,last=same", [draw((2, 4, 6, 6))]).model
    with pytest.raises(ModelError, match=reason):
        bp.deploy(model)


def test_a_layer_that_cannot_be_packed_stays_as_it_is():
    plain = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv1d(4, 4, 3), nn.Linear(4, 3))
    middle = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3), nn.Flatten(2), plain[1], nn.Flatten(), nn.Linear(56, 3))
    model = bp.quantize(middle, "bireal:w1a1", [draw((2, 3, 6, 6))]).model
    found = bp.deploy(model)
    told = {layer.name: layer for layer in found.report.layers}
    assert [name for name, layer in told.items() if layer.packed] == ["1"]
    assert told["0"].reason == "float" and "Conv1d" in told["3"].reason
    assert told["1"].size_bytes == 4 * 4 * 9 // 8 + 4 * 4 * 2 + 4 and "1 of 4 layers" in str(found.report)
    assert found.model[3].weight_quantizer is not None and len(low_bit_layers(model)) == 2


def test_a_network_for_one_bit_keeps_its_logits_and_its_simulation():
    network, x = load("reactnet-resnet20:seed=1").module, torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for norm in [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]:
        norm.running_mean.copy_(torch.linspace(-0.1, 0.13, norm.num_features))  # else a sum of 0 meets a threshold of 0
    model = bp.quantize(network, "reactnet:w1a1", [x]).model
    with torch.no_grad():
        before = model(x)
        found = bp.deploy(model)
        torch.testing.assert_close(found.model(x), before, rtol=1e-4, atol=1e-4)
        assert torch.equal(model(x), before) and found.report.packed == 18


def test_the_compilers_of_torch_keep_packed_layers():
    model = bp.deploy(simulated("bireal:w1a1", *LAYERS["groups"])).model
    x = draw(LAYERS["groups"][1])
    exported = torch.export.export(model, (x,))
    assert "bitproof.sign_conv2d" in str(exported.graph)
    assert torch.equal(exported.module()(x), model(x))
    assert torch.equal(torch.compile(model, fullgraph=True, backend="aot_eager")(x), model(x))


def test_a_float_network_is_told_to_be_binarized_first():
    with pytest.raises(ModelError, match="bireal:w1a1"):
        bp.deploy(nn.Linear(3, 3))
