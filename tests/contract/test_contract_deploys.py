"""Every noise that runs the network's integers in another engine, and a wrong noise for each check."""

import pytest
import torch
from contract_entries import pickled
from contract_rewrites import networks, pictures

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from bitproof.core import ModelError
from bitproof.export import Deployment
from bitproof.noises import NOISES

Int8Ort = NOISES.load("int8-ort")


def deployed(noise, network):
    return noise()(Deployment(network, pictures()[:2]))


def check_is_near_the_simulation(noise):
    network, x = networks()[1], pictures(16)
    y, simulated = deployed(noise, network)(x), network(x).detach()
    assert y.dtype == torch.float32 and y.shape == simulated.shape
    assert (y - simulated).norm() < 0.1 * simulated.norm()


def check_leaves_the_network_alone(noise):
    network = networks()[1]
    logits = network(pictures()).detach()
    deployed(noise, network)
    assert torch.equal(network(pictures()).detach(), logits)


def check_carries_no_gradient_and_splits(noise):
    session, x = deployed(noise, networks()[1]), pictures(5)
    logits = session(x)
    assert not logits.requires_grad and torch.equal(session(x), logits) and torch.equal(pickled(session)(x), logits)
    torch.testing.assert_close(torch.cat([session(one) for one in x.split(2)]), logits, rtol=1e-4, atol=1e-5)


def check_refuses_a_float_network(noise):
    with pytest.raises(ModelError, match="low-bit recipe"):
        deployed(noise, networks()[0])


CHECKS = [
    check_is_near_the_simulation,
    check_leaves_the_network_alone,
    check_carries_no_gradient_and_splits,
    check_refuses_a_float_network,
]
NAMES = [name for name in NOISES._own if NOISES.load(name).site == "model" and NOISES.load(name).needs == "deploy"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_deploy(name, check):
    check(NOISES.load(name))


class Far(Int8Ort):
    """Another network's logits."""

    def __call__(self, network):
        return lambda x: networks()[0](x).detach().flip(1)


class InPlace(Int8Ort):
    """Changes the network that it was given."""

    def __call__(self, network):
        with torch.no_grad():
            list(network.network.parameters())[-1].add_(0.01)
        return network.network


class Simulated(Int8Ort):
    """Stays in torch, gradient and all; takes float networks."""

    def __call__(self, network):
        return network.network


@pytest.mark.parametrize(
    ("check", "wrong"), zip(CHECKS, (Far, InPlace, Simulated, Simulated), strict=True), ids=lambda value: value.__name__
)
def test_check_finds_a_wrong_noise(check, wrong):
    try:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)
    finally:
        networks.cache_clear()
