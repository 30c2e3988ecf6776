"""Equal to foolbox step by step where nothing is drawn, equal in accuracy where something is; exact projections by SciPy."""

import numpy as np
import pytest
import torch
from attacks_toy import net, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from bitproof.models import TorchVictim
from bitproof.noises import noise
from bitproof.noises.attacks.norms import L1, L2, Linf, nearest_l1

foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed")

CASES = {
    "fgsm-linf:eps=0.05": ("LinfFastGradientAttack", {"random_start": False}, 0.05),
    "pgd-linf:eps=0.05,steps=12": ("LinfPGD", {"rel_stepsize": 0.075, "steps": 12}, 0.05),
    "pgd-linf:eps=0.05,steps=20,step=0.01": ("LinfPGD", {"abs_stepsize": 0.01, "steps": 20}, 0.05),
    "pgd-l2:eps=0.3,steps=20": ("L2PGD", {"rel_stepsize": 0.075, "steps": 20}, 0.3),
    "pgd-l2:eps=0.3,steps=20,step=0.1": ("L2PGD", {"abs_stepsize": 0.1, "steps": 20}, 0.3),
    "pgd-l1:eps=1.5,steps=20,projection=rescale": ("L1PGD", {"rel_stepsize": 0.075, "steps": 20}, 1.5),
    "pgd-l1:eps=1.5,steps=20,projection=rescale,step=1": ("L1PGD", {"abs_stepsize": 1.0, "steps": 20}, 1.5),
}


def theirs(name, arguments, eps, x, y):
    attack = getattr(foolbox.attacks, name)(**{"random_start": False, **arguments})
    return attack(foolbox.PyTorchModel(net(), bounds=(0, 1), device="cpu"), x, y, epsilons=eps)


@pytest.mark.parametrize("text", CASES)
def test_the_same_walk_as_foolbox(text):
    name, arguments, eps = CASES[text]
    x, y = pictures(60)
    if not text.startswith("fgsm"):
        text += ",start=false,keep=last"
    ours = noise(text)(TorchVictim(net()), x, y, range(60))
    _, adversarial, success = theirs(name, arguments, eps, x, y)
    torch.testing.assert_close(ours.x, adversarial, rtol=0, atol=1e-5)
    assert torch.equal(ours.success, success)


def test_momentum_follows_its_formula():
    """Foolbox sums signs where the paper sums gradients, so the paper's Algorithm 1 is written out here."""
    x, y = pictures(40)
    moved, velocity = x.clone(), torch.zeros_like(x)
    for _ in range(12):
        moved.requires_grad_()
        (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net()(moved), y, reduction="sum"), moved)
        velocity = 0.9 * velocity + g / g.abs().sum(dim=(1, 2, 3), keepdim=True)
        moved = (moved.detach() + 0.01 * velocity.sign()).clamp(x - 0.05, x + 0.05).clamp(0, 1)
    ours = noise("mim-linf:eps=0.05,steps=12,step=0.01,start=false,keep=last,decay=0.9")(TorchVictim(net()), x, y, range(40))
    torch.testing.assert_close(ours.x, moved, rtol=0, atol=1e-5)
    plain = noise("pgd-linf:eps=0.05,steps=12,step=0.01,start=false,keep=last")(TorchVictim(net()), x, y, range(40))
    assert not torch.allclose(plain.x, moved, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "name", "eps"),
    [("pgd-linf:eps=0.05", "LinfPGD", 0.05), ("pgd-l2:eps=0.3", "L2PGD", 0.3)],
)
def test_the_same_accuracy_as_foolbox_from_random_starts(text, name, eps):
    x, y = pictures(1000)
    ours = noise(f"{text},keep=last")(TorchVictim(net()), x, y, range(1000))
    torch.manual_seed(0)  # foolbox draws from the global generator
    success = theirs(name, {"rel_stepsize": 0.075, "steps": 20, "random_start": True}, eps, x, y)[2]
    assert 0.1 < success.float().mean() < 0.9
    assert abs(float(ours.success.float().mean() - success.float().mean())) < 0.02


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_the_smallest_changes_are_as_small_as_foolbox_s(norm, order):
    x, y = pictures(60)
    ours = noise(f"fmn-{norm}:steps=60")(TorchVictim(net()), x, y, range(60))
    attack = getattr(foolbox.attacks, {"linf": "LInfFMNAttack", "l2": "L2FMNAttack", "l1": "L1FMNAttack"}[norm])(steps=60)
    found, _, success = attack(foolbox.PyTorchModel(net(), bounds=(0, 1), device="cpu"), x, y, epsilons=None)
    mine, theirs = (
        np.where(good.numpy(), np.linalg.norm((adversarial - x).flatten(1).numpy(), order, axis=1), np.inf)
        for adversarial, good in ((ours.x, ours.success), (found, success))
    )
    assert np.median(mine) <= 1.03 * np.median(theirs)
    assert ours.success.float().mean() >= success.float().mean()


@given(st.integers(0, 10**6), st.floats(0.01, 6), st.floats(0.01, 3))
@settings(max_examples=40, deadline=None)
def test_the_l1_projection_is_the_nearest_point(seed, eps, size):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(3, 2, 3, 4, generator=generator)
    delta = torch.randn(3, 2, 3, 4, generator=generator) * size
    for x, d, found in zip(clean, delta, nearest_l1(clean, delta, eps, (0.0, 1.0)), strict=True):
        expected = by_root(x.double().numpy(), d.double().numpy(), eps)
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def by_root(x, d, eps):
    def at(cut):
        return np.clip(x + np.sign(d) * np.maximum(np.abs(d) - cut, 0), 0, 1)

    def excess(cut):
        return np.abs(at(cut) - x).sum() - eps

    return at(0.0 if excess(0.0) <= 0 else brentq(excess, 0.0, np.abs(d).max(), xtol=1e-13))


@given(st.integers(0, 10**6), st.floats(0.01, 3))
@settings(max_examples=20, deadline=None)
def test_no_point_of_the_l1_ball_is_nearer(seed, eps):
    generator = torch.Generator().manual_seed(seed)
    clean, target = torch.rand(1, 1, 3, 3, generator=generator), torch.rand(1, 1, 3, 3, generator=generator) * 3 - 1
    ours = nearest_l1(clean, target - clean, eps, (0.0, 1.0))
    others = clean + torch.stack([L1().inside((1, 3, 3), generator) for _ in range(200)]) * eps * torch.rand(
        200, 1, 1, 1, generator=generator
    )
    others = others.clamp(0, 1)
    assert (ours - target).norm() <= (others - target).flatten(1).norm(dim=1).min() + 1e-5


@pytest.mark.parametrize(("norm", "order"), [(Linf(), np.inf), (L2(), 2), (L1(), 1)])
def test_lengths_directions_and_draws(norm, order):
    generator = torch.Generator().manual_seed(1)
    delta = torch.randn(5, 3, 4, 4, generator=generator)
    expected = [np.linalg.norm(d.ravel(), order) for d in delta.numpy()]
    np.testing.assert_allclose(norm.length(delta).numpy(), expected, rtol=1e-5)
    torch.testing.assert_close(norm.length(norm.direction(delta)), torch.ones(5))
    assert norm.direction(torch.zeros(1, 3, 4, 4)).abs().sum() == 0
    draws = torch.stack([norm.inside((3, 4, 4), generator) for _ in range(400)])
    assert norm.length(draws).max() <= 1 + 1e-5
    assert draws.mean().abs() < 4 * draws.std() / np.sqrt(draws.numel())


def test_a_draw_is_uniform_in_the_ball():
    """The share of draws within radius r of an n-ball is rⁿ; the ℓ1 start lies on the sphere."""
    generator = torch.Generator().manual_seed(2)
    for norm in (Linf(), L2()):
        lengths = norm.length(torch.stack([norm.inside((2, 1, 2), generator) for _ in range(4000)]))
        assert abs(float((lengths < 0.8).float().mean()) - 0.8**4) < 0.03
    assert torch.allclose(L1().length(torch.stack([L1().inside((2, 1, 2), generator) for _ in range(9)])), torch.ones(9))


def test_the_default_l1_attack_is_stronger_than_the_rescaling_one():
    x, y = pictures(200)
    exact, rescale = (
        noise(f"pgd-l1:eps=0.7,projection={p}")(TorchVictim(net()), x, y, range(200)).success.float().mean()
        for p in ("exact", "rescale")
    )
    assert exact > rescale + 0.05


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2)])
def test_labels_alone_find_changes_as_small_as_foolbox_s(norm, order):
    """The medians at about the same number of queries; foolbox draws from the global generator."""
    x, y = pictures(12)
    ours = noise(f"hopskipjump-{norm}:queries=2500")(TorchVictim(net()), x, y, range(12))
    torch.manual_seed(0)
    attack = foolbox.attacks.HopSkipJumpAttack(steps=10, constraint=norm)
    found, _, success = attack(foolbox.PyTorchModel(net(), bounds=(0, 1), device="cpu"), x, y, epsilons=None)
    mine, theirs = (np.linalg.norm((adversarial - x).flatten(1).numpy(), order, axis=1) for adversarial in (ours.x, found))
    assert ours.success.all() and success.all()
    assert np.median(mine) <= 1.25 * np.median(theirs)
