"""What is made on one network and judged by another; and what gradients say about themselves."""

import pytest
import torch
from attacks_toy import Recorder, net, pictures
from torch import nn

from bitproof.core import SpecError
from bitproof.models import TorchVictim
from bitproof.noises import ATTACKS, noise
from bitproof.noises.attacks.transfer import Ensemble


def twin(seed: int, like: float = 0.05) -> nn.Module:
    """A network near ``net``."""
    model, draws = net(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draws) * like)
    return model


def given(spec, **victims):
    return noise(spec).given(victims, noise)


def test_the_input_is_that_of_the_attack_on_the_other_network():
    x, y = pictures(8)
    other, seeds = TorchVictim(twin(1)), list(range(8))
    made = noise("pgd-linf:eps=0.1,keep=last,steps=7")(other, x, y, seeds)
    found = given('transfer-linf:eps=0.1,attack="pgd-linf:keep=last,steps=7"', control=other)(TorchVictim(net()), x, y, seeds)
    right = (net()(x).argmax(1) == y) & (other.decide(x) == y)
    assert right.sum() >= 6
    assert torch.equal(found.x[right], made.x[right])
    assert torch.equal(found.success, net()(found.x).argmax(1) != y)


def test_the_victim_is_asked_twice_and_gives_no_gradient():
    x, y = pictures(6)
    victim = Recorder(differentiable=False)
    found = given("transfer-l2:eps=0.5", control=TorchVictim(twin(1)))(victim, x, y, list(range(6)))
    assert len(victim.batches) == 2 and victim.modes == []
    assert found.queries.max() == 2 and not found.gradients.any()


def test_an_ensemble_is_the_mean_probability():
    x, y = pictures(4)
    victims = [TorchVictim(twin(seed)) for seed in (1, 2, 3)]
    ensemble = Ensemble(victims)
    mean = torch.stack([victim.logits(x).softmax(1) for victim in victims]).mean(0)
    torch.testing.assert_close(ensemble.logits(x).exp(), mean)
    torch.testing.assert_close(ensemble.loss(x, y), -mean[torch.arange(4), y].log())
    assert torch.equal(Ensemble(victims[:1]).logits(x), victims[0].logits(x))


def test_an_ensemble_transfers_better_than_one_network():
    x, y = pictures(40)
    victims = {f"mse:w{bits}a{bits}": TorchVictim(twin(bits, like=0.25)) for bits in (2, 4, 8)}
    one = given('transfer-linf:eps=0.12,of="mse:w2a2"', **victims)(TorchVictim(net()), x, y, list(range(40)))
    all_ = given('transfer-linf:eps=0.12,of="mse:w2a2+mse:w4a4+mse:w8a8"', **victims)(TorchVictim(net()), x, y, list(range(40)))
    assert all_.success.sum() > one.success.sum() > 0


def test_the_gradient_mode_is_that_of_the_other_network():
    x, y = pictures(3)
    victim, other = Recorder(), Recorder(twin(1))
    given("transfer-linf:eps=0.1,grad=soft", control=other)(victim, x, y, [0, 1, 2])
    assert set(other.modes) == {"soft"} and victim.modes == []


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ('attack="pgd-l2:steps=3"', "in linf"),
        ('attack="pgd-linf:eps=0.1"', "without eps"),
        ('of="control+"', "recipes joined"),
        ("grad=straight", "Unknown gradient mode"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(SpecError, match=match):
        noise(f"transfer-linf:eps=0.1,{settings}")


def test_without_the_other_network_it_says_what_it_needs():
    x, y = pictures(2)
    with pytest.raises(SpecError, match="needs control"):
        noise("transfer-linf:eps=0.1")(TorchVictim(net()), x, y, [0, 1])
    assert {"transfer-linf", "transfer-l2", "transfer-l1"} <= set(ATTACKS)


class HardSign(nn.Module):
    """No gradient at all."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module((x > 0.5).float() + 0 * x)


def evidence(module, control):
    x, y = pictures(6)
    found = given("evidence", control=TorchVictim(control))(TorchVictim(module), x, y, [0] * 6)
    assert torch.equal(found.x, x)
    return found.columns


def test_evidence_of_a_network_against_itself():
    columns = evidence(net(), net())
    assert not columns["zero_ste"].any() and not columns["zero_exact"].any()
    torch.testing.assert_close(columns["cosine"], torch.ones(6))
    torch.testing.assert_close(columns["logit_norm"], net()(pictures(6)[0]).norm(dim=1).detach())


def test_evidence_of_a_hard_sign_and_of_saturated_logits():
    hard = evidence(HardSign(net()), net())
    assert hard["zero_ste"].all() and hard["zero_exact"].all() and hard["cosine"].isnan().all()

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return 1e4 * self.net(x)

    columns = evidence(Scaled(), net())
    assert columns["zero_ste"].float().mean() > 0.5 and (columns["logit_norm"] > 1e3).all()


def test_the_cosine_is_numpys():
    a, b = torch.randn(5, 7, dtype=torch.float64), 1e-30 * torch.randn(5, 7, dtype=torch.float64)
    from bitproof.noises.attacks.evidence import cosine

    expected = [float(u @ v / (u @ u) ** 0.5 / (v @ v) ** 0.5) for u, v in zip(a.numpy(), b.numpy(), strict=True)]
    torch.testing.assert_close(cosine(a, b), torch.tensor(expected, dtype=torch.float64))
    assert cosine(a, 0 * b).isnan().all()
