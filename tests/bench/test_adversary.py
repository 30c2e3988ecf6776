"""Training against an attack: what it takes, what it leaves alone, and that a low-bit network withstands more for it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.bench import Plan, costs, parse_grids, predict
from bitproof.bench.adversary import adversary, trained_against
from bitproof.convert import quantize
from bitproof.core import SpecError
from bitproof.models import TorchVictim
from bitproof.noises import noise
from bitproof.training import Training, train
from bitproof.training.losses import divergence

EPS = 0.08


class Weak(torch.utils.data.Dataset):
    """Class ±: four values that differ by far more than an attack may move, and 188 that differ by less but agree."""

    def __init__(self, n=128):
        draws = torch.Generator().manual_seed(0)
        self.y = torch.arange(n) % 2
        sign = (self.y * 2.0 - 1)[:, None]
        strong = 0.5 + 0.22 * sign + 0.2 * torch.randn(n, 4, generator=draws)
        weak = 0.5 + 0.04 * sign + 0.02 * torch.randn(n, 188, generator=draws)
        self.x = torch.cat([strong, weak], 1).clamp(0, 1).view(n, 3, 8, 8)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], int(self.y[index])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.middle, self.last = nn.Linear(192, 24), nn.Linear(24, 24), nn.Linear(24, 2)

    def forward(self, x):
        return self.last(self.middle(self.first((x.flatten(1) - 0.5) * 4).relu()).relu())


def trained(recipe, **changes):
    data = Weak()
    settings = Training(epochs=24, lr=0.05, batch_size=32, **changes)
    model = quantize(Net(), recipe, [data.x]).model if recipe else Net()
    perturb = adversary(settings.adversarial) if settings.adversarial else None
    return train(model, data, settings, seed=3, perturb=perturb).model


def robust(model):
    x, y = Weak().x, Weak().y
    attacked = noise(f"pgd-linf:eps={EPS},steps=30")(TorchVictim(model), x, y, list(range(len(x))))
    return float((~attacked.success).float().mean())


@pytest.mark.parametrize("recipe", [None, "lsq:w4a4"])
def test_what_is_trained_against_an_attack_withstands_it(recipe):
    against = f"pgd-linf:eps={EPS},steps=5,step=0.03"
    plain, pgd_at, trades = (
        robust(trained(recipe, **changes)) for changes in ({}, {"adversarial": against}, {"adversarial": against, "trades": 4.0})
    )
    assert plain < 0.2 and plain + 0.3 < min(pgd_at, trades), (plain, pgd_at, trades)


def test_the_attack_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = Weak().x[:8]
    y = deepcopy(model).eval()(x).argmax(dim=1)  # what is wrong to begin with is not moved
    torch.manual_seed(0)
    moved = adversary("pgd-linf:eps=0.1,steps=2")(model, x, y)
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert 0 < float((moved - x).abs().max()) <= 0.1 + 1e-6
    torch.manual_seed(0)
    assert torch.equal(adversary("pgd-linf:eps=0.1,steps=2")(model, x, y), moved)


def test_the_distance_of_two_answers_is_numpys():
    a, b = (torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)).double() for seed in (0, 1))
    p, q = a.softmax(1).numpy(), b.softmax(1).numpy()
    assert float(divergence(a, b)) == pytest.approx((p * np.log(p / q)).sum(1).mean())
    assert float(divergence(a, a)) == pytest.approx(0, abs=1e-12)


def test_an_attack_without_the_hook_is_refused():
    with pytest.raises(SpecError, match="no perturb was handed in"):
        train(Net(), Weak(), Training(epochs=1, lr=0.1, adversarial="pgd-linf:eps=0.1"), seed=0)


@pytest.mark.parametrize("text", ["fog:3", "clean", "corruptions", "transfer-linf:eps=0.1", "fog:3+pgd-linf:eps=0.1", "evidence"])
def test_what_is_no_attack_on_the_network_is_refused(text):
    with pytest.raises(SpecError, match="no attack on the network in training"):
        trained_against(text)


def test_it_is_part_of_the_variant_and_only_of_what_is_trained(grid, monkeypatch):
    from bitproof.noises.attacks.pgd import PgdLinf

    def ids(text):
        [one] = parse_grids(text)
        return {str(variant.recipe): variant.id for variant in Plan(one).variants}

    text = grid.read_text()
    against = text.replace("lr: 0.05", 'lr: 0.05, adversarial: "pgd-linf:eps=8/255,steps=7"')
    before, after = ids(text), ids(against)
    assert {recipe for recipe in before if before[recipe] != after[recipe]} == {"float", "lsq:w4a4"}
    assert ids(against.replace("eps=8/255,steps=7", "steps=7,eps=8/255,start=true")) == after
    [one], [other] = parse_grids(text), parse_grids(against)
    monkeypatch.setattr(costs, "_forward_s", lambda network, batch_size, device: 1e-3)
    assert predict(Plan(other)).variants_s > 2 * predict(Plan(one)).variants_s
    monkeypatch.setattr(PgdLinf, "version", 99)
    assert ids(against)["lsq:w4a4"] != after["lsq:w4a4"] and ids(text) == before
    with pytest.raises(SpecError, match=r"training: .*no attack"):
        parse_grids(text.replace("lr: 0.05", "lr: 0.05, adversarial: bgr"))
