"""Rewritten networks against torch's own arithmetic."""

import pytest
import torch
from networks import Residual, lively, pictures
from torch import nn

from bitproof.convert import Rewriter, quantize
from bitproof.core import ModelError
from bitproof.models import wrap


@pytest.mark.parametrize(("dtype", "step"), [("float16", 2**-11), ("bfloat16", 2**-8)])
@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 3), nn.Linear(16, 4)], ids=lambda m: type(m).__name__
)
@torch.no_grad()
def test_a_layer_is_its_rounded_numbers_summed_in_float64_and_rounded(layer, dtype, step):
    """Within two roundings, the float32 sum's and the result's own."""
    kind, x = getattr(torch, dtype), pictures()
    rounded = {name: value.to(kind).double() for name, value in layer.state_dict().items()}
    exact = torch.func.functional_call(layer.double(), rounded, x.to(kind).double())
    found = Rewriter(layer.float(), x).cast(dtype)(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, found.to(kind).float())
    assert ((found - exact).abs() <= step * exact.abs() + 1e-5).all()


@torch.no_grad()
def test_every_operation_is_rounded_as_torch_rounds_it():
    """Against torch's own half precision on the whole network: the sums differ in their last bit, nothing else does."""
    model = lively(Residual())
    ours, theirs = (
        Rewriter(model, pictures()).cast("bfloat16")(pictures()),
        Rewriter(model, pictures()).copy().bfloat16()(pictures().bfloat16()).float(),
    )
    assert (ours - theirs).abs().max() <= 2**-7 * theirs.abs().max()
    assert not torch.equal(ours, model(pictures()))


@torch.no_grad()
def test_quantizers_are_rounded_too():
    low_bit = quantize(lively(Residual()), "mse:w8a8", [pictures()]).model
    changed = Rewriter(low_bit, pictures()).cast("float16")
    assert {value.dtype for value in changed.state_dict().values() if value.is_floating_point()} == {torch.float16}
    assert (changed(pictures()) - low_bit(pictures())).abs().max() < 0.5


@torch.no_grad()
def test_a_channel_of_nearly_nothing_stays_nearly_nothing():
    """Batch norms with a gain of 1e-8 are in published networks; their channel's scale is 0 in half precision."""
    conv = nn.Conv2d(3, 4, 3)
    conv.weight[0] *= 1e-8
    low_bit = quantize(nn.Sequential(conv, nn.ReLU(), nn.Conv2d(4, 4, 3)), "mse:w8a8", [pictures()]).model
    changed = Rewriter(low_bit, pictures()).cast("float16")
    assert (changed(pictures()) - low_bit(pictures())).abs().max() < 0.05


def test_a_finished_session_is_refused():
    with pytest.raises(ModelError, match="finished session"):
        Rewriter(nn.Identity(), pictures(), finished=True).cast("float16")


def network(*body, size=18, **words):
    """A network that ends in a pool over all that is left."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3, padding=1), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)]
    return wrap(nn.Sequential(*layers), size=size, **words).module


def rewriter(net, size=18):
    return Rewriter(net, pictures(size=size).sigmoid())


X = pictures(size=18).sigmoid()
OWN = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}


@torch.no_grad()
def test_another_normalisation_is_another_networks():
    changed = rewriter(network(**OWN)).normalize((0.5,), (0.5,))
    assert torch.equal(changed(X), network(mean=(0.5,), std=(0.5,))(X))


@pytest.mark.parametrize("own", [(0.5,), (0.5, 0.5, 0.5)])
def test_its_own_normalisation_is_refused(own):
    with pytest.raises(ModelError, match=r"own mean 0\.5.* are these"):
        rewriter(network(mean=own, std=own)).normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("factor", [255, 1 / 255])
@torch.no_grad()
def test_a_scaled_input_is_the_network_on_scaled_pictures(factor):
    net = network(**OWN)
    torch.testing.assert_close(rewriter(net).scale_input(factor)(X), net(X * factor), rtol=1e-4, atol=1e-4)


def test_a_network_of_bytes_is_given_too_little_never_too_much():
    net = network(std=(1 / 255,))
    with pytest.raises(ModelError, match=r"0 to 255 \(std 0.003922\).*'range-1'"):
        rewriter(net).scale_input(255)
    with torch.no_grad():
        torch.testing.assert_close(rewriter(net).scale_input(1 / 255)(X), network()(X))


@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
@torch.no_grad()
def test_ceil_mode_is_the_network_built_with_it(pool):
    expected = network(pool(3, 2, ceil_mode=True))(X)
    assert torch.equal(rewriter(network(pool(3, 2))).ceil_pools()(X), expected)


@pytest.mark.parametrize(("mode", "corners"), [("bilinear", False), ("bilinear", True), ("nearest", False)])
@pytest.mark.parametrize("before", [{"mode": "nearest"}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}])
@torch.no_grad()
def test_upsampling_is_the_network_built_with_it(mode, corners, before):
    after = {"mode": mode} | ({"align_corners": True} if corners else {})
    body = [nn.Upsample(scale_factor=2, **before), nn.ReLU()]
    if before == after:
        with pytest.raises(ModelError, match="no upsampling layer that is not in mode"):
            rewriter(network(*body)).upsample(mode, corners)
        return
    expected = network(nn.Upsample(scale_factor=2, **after), nn.ReLU())(X)
    assert torch.equal(rewriter(network(*body)).upsample(mode, corners)(X), expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "no max or average pooling layer"),
        ([nn.MaxPool2d(2, 2, ceil_mode=True)], "no max or average pooling layer"),
        ([nn.MaxPool2d(3, 1)], "no max or average pooling layer"),
        ([nn.MaxPool2d(2)], "answers as before"),
        ([nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(256, 16), nn.Unflatten(1, (4, 2, 2))], "fails on a picture of 18×18 px"),
    ],
)
def test_where_ceil_mode_means_nothing_it_is_refused(body, message):
    with pytest.raises(ModelError, match=message):
        rewriter(network(*body)).ceil_pools()
