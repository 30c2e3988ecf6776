"""What an attack is shown of a network: one contract, and gradient modes that quantizers hear and nobody else."""

import pytest
import torch
from torch import nn

from bitproof.core import GRADIENT_MODES, SpecError
from bitproof.models import TorchVictim


class Rounding(nn.Module):
    """A quantizer in miniature: eighths, with a gradient that follows the protocol attribute."""

    gradients = ("exact", "ste")
    gradient = "ste"

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.125))
        self.heard = []

    def forward(self, x):
        self.heard.append(self.gradient)
        rounded = (x / self.scale).round() * self.scale
        return rounded if self.gradient == "exact" else x + (rounded - x).detach()


def network(quantized=True):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        middle = [Rounding()] if quantized else []
        return nn.Sequential(*middle, nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4)).eval()


X = torch.rand(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 3, 0, 1])


def gradient(victim):
    x = X.clone().requires_grad_()
    return torch.autograd.grad(victim.loss(x, Y).sum(), x)[0]


def test_the_mode_changes_the_gradient_and_not_the_output():
    victim = TorchVictim(network())
    exact = victim.with_gradient("exact")
    assert gradient(exact).abs().sum() == 0
    assert gradient(victim).abs().sum() > 0
    assert torch.equal(exact.logits(X), victim.logits(X))
    assert exact.mode == "exact"


def test_the_mode_lasts_as_long_as_a_forward():
    module = network()
    TorchVictim(module).with_gradient("exact").logits(X)
    assert module[0].heard == ["exact"]
    assert module[0].gradient == "ste"
    with pytest.raises(RuntimeError):
        TorchVictim(module, mode="exact").logits(X[:, :2])
    assert module[0].gradient == "ste"
    assert all(p.requires_grad for p in module.parameters())


def test_a_mode_that_a_quantizer_lacks_is_refused():
    for mode in ("soft", "bpda", "ste-full"):
        with pytest.raises(SpecError, match="exact, ste"):
            TorchVictim(network()).with_gradient(mode)
    with pytest.raises(SpecError, match="ste-full"):
        TorchVictim(network(), mode="straight")


def test_a_float_network_is_the_same_in_every_mode():
    expected = gradient(TorchVictim(network(quantized=False)))
    for mode in GRADIENT_MODES:
        assert torch.equal(gradient(TorchVictim(network(quantized=False)).with_gradient(mode)), expected)


def test_loss_and_decisions_are_those_of_the_logits():
    victim = TorchVictim(network())
    logits = victim.logits(X)
    torch.testing.assert_close(victim.loss(X, Y), -logits.log_softmax(1)[torch.arange(6), Y])
    assert torch.equal(victim.decide(X), logits.argmax(1))
    assert victim.bounds == (0.0, 1.0)


def test_no_gradient_reaches_a_parameter():
    module = network()
    x = X.clone().requires_grad_()
    TorchVictim(module).loss(x, Y).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in module.parameters())


def test_frozen_parameters_stay_frozen_and_the_training_mode_stays():
    module = network().train()
    module[2].weight.requires_grad_(False)
    TorchVictim(module).logits(X)
    assert not module[2].weight.requires_grad
    assert module[2].bias.requires_grad
    assert module.training
