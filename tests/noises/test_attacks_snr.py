"""Attacks within a signal-to-noise ratio: the ball of each wave, the bounds, the seeds."""

import pytest
import torch
from torch import nn

from bitproof.analysis.budgets import budget
from bitproof.analysis.roles import suite
from bitproof.models import TorchVictim
from bitproof.noises import noise

SPECS = ["pgd-snr:eps=0.1,steps=4", "noise-snr:eps=0.1,draws=2"]


def victim(bounds=(-1.0, 1.0)):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3)).eval()
    return TorchVictim(net, bounds=bounds)


def waves(n=12):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 64, generator=generator) * torch.linspace(0.01, 0.4, n)[:, None], torch.arange(n) % 3


@pytest.mark.parametrize("spec", SPECS)
def test_each_wave_is_moved_by_its_own_share_and_stays_within_its_bounds(spec):
    x, y = waves()
    x = x.clamp(-1, 1)
    found = noise(spec)(victim(), x, y, range(len(x)))
    share = (found.x - x).norm(dim=1) / x.norm(dim=1)
    assert float(share.max()) <= 0.1 * (1 + 1e-5) and float(found.x.abs().max()) <= 1
    moved = victim().decide(x) == y  # those that were wrong to begin with are left alone
    assert float(share[moved].max()) > 0.02 and not bool(share[~moved].any())


@pytest.mark.parametrize("spec", SPECS)
def test_a_sample_is_attacked_alike_in_any_batch(spec):
    x, y = waves()
    whole = noise(spec)(victim(), x, y, range(len(x)))
    parts = [noise(spec)(victim(), x[i : i + 5], y[i : i + 5], range(i, min(i + 5, len(x)))) for i in (0, 5, 10)]
    torch.testing.assert_close(torch.cat([part.x for part in parts]), whole.x, rtol=1e-4, atol=1e-6)


def test_the_attack_is_worse_than_noise_of_its_size():
    x, y = waves()
    y = victim().decide(x)
    attacked, random = (
        noise(spec)(victim(), x, y, range(len(x))).success.sum() for spec in ("pgd-snr:eps=0.5", "noise-snr:eps=0.5")
    )
    assert int(attacked) > int(random)


def test_its_ball_is_judged_by_what_there_is():
    ball = budget("pgd-snr:eps=0.1")
    assert ball is not None and ball.norm == "snr"
    assert all(noise(spec) for spec in suite(ball)) and any("loss=margin" in spec for spec in suite(ball))
