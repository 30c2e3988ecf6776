"""What every attack promises: the budget, the bounds, its input, its bill, and numbers that a sample's seed decides."""

import math

import pytest
import torch
from attacks_toy import Recorder, net, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bitproof.core import ModelError, ShapeError, Spec, SpecError
from bitproof.models import TorchVictim
from bitproof.noises import ATTACKS, noise, sweep

NORM = {"linf": math.inf, "l2": 2, "l1": 1}
#: Budgets at which the toy network neither always nor never withstands.
EPS = {"linf": 0.05, "l2": 0.3, "l1": 1.5}
WALKS = ["pgd-linf", "pgd-l2", "pgd-l1", "mim-linf"]
GRADIENT = ["fgsm-linf", *WALKS]
#: Settings that make the long ones short.
QUICK = {"steps": 3, "queries": 5}
LONG = ("apgd", "fab", "square", "autoattack", "fmn", "hopskipjump")
#: Attacks that need no other network; ``test_transfer`` has the others.
ON_PICTURES = [name for name in ATTACKS if "image" in ATTACKS.load(name).kinds]  # others: test_words_attacks.py
ALONE = [name for name in ON_PICTURES if not hasattr(ATTACKS.load(name), "given")]
SPECS = [*ALONE, "pgd-l1:projection=rescale", "pgd-linf:keep=last", "mim-linf:keep=last", "pgd-l2:restarts=2"]


def spec_of(text: str, **settings: object) -> Spec:
    spec = Spec.parse(text)
    eps = settings.pop("eps", EPS[norm_of(text)])
    if spec.name.startswith(LONG):
        fields = ATTACKS.load(spec.name).__dataclass_fields__
        settings = {key: value for key, value in QUICK.items() if key in fields} | settings
    return Spec(spec.name, (*spec.items, ("eps", str(eps)), *((key, str(value)) for key, value in settings.items())))


def norm_of(text: str) -> str:
    return text.partition(":")[0].rpartition("-")[2]


def length(delta: torch.Tensor, norm: str) -> torch.Tensor:
    return delta.double().flatten(1).norm(p=NORM[norm], dim=1)


@pytest.mark.parametrize("text", SPECS)
@given(seed=st.integers(0, 2**62), scale=st.sampled_from([0.01, 1.0, 40.0]))
@settings(max_examples=8, deadline=None)
def test_budget_bounds_and_input_are_kept(text, seed, scale):
    x, y = pictures(6, seed=seed % 1000)
    before, eps = x.clone(), EPS[norm_of(text)] * scale
    found = noise(spec_of(text, eps=eps))(TorchVictim(net()), x, y, [seed + i for i in range(6)])
    assert (length(found.x - x, norm_of(text)) <= eps * (1 + 1e-6) + 1e-6).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    assert torch.equal(x, before)
    assert found.x.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("text", SPECS)
def test_success_is_what_the_network_decides(text):
    x, y = pictures(40)
    y[:5] = (y[:5] + 1) % 4
    found = noise(spec_of(text))(TorchVictim(net()), x, y, range(40))
    assert torch.equal(found.success, net()(found.x).argmax(1) != y)
    assert found.success[:5].all()
    assert torch.equal(found.x[:5], x[:5])
    assert (found.queries[:5] == 1).all()
    assert (found.gradients[:5] == 0).all()


@pytest.mark.parametrize("text", WALKS)
def test_an_attack_beats_random_noise_and_is_not_perfect(text):
    x, y = pictures(100)
    robust = 1 - noise(spec_of(text))(TorchVictim(net()), x, y, range(100)).success.float().mean()
    assert 0.05 < robust < 0.8
    control = {"linf": "noise-linf", "l2": "noise-l2", "l1": "noise-l2"}[norm_of(text)]
    size = length(noise(spec_of(text))(TorchVictim(net()), x, y, range(100)).x - x, norm_of(control)).max()
    by_chance = noise(spec_of(control, eps=float(size)))(TorchVictim(net()), x, y, range(100))
    assert 1 - by_chance.success.float().mean() > robust + 0.1


@pytest.mark.parametrize("text", SPECS)
@given(cut=st.integers(1, 11))
@settings(max_examples=4, deadline=None)
def test_the_batch_does_not_matter(text, cut):
    x, y = pictures(12)
    attack, seeds = noise(spec_of(text)), list(range(100, 112))
    whole = attack(TorchVictim(net()), x, y, seeds)
    parts = [attack(TorchVictim(net()), x[s], y[s], seeds[s]) for s in (slice(cut), slice(cut, None))]
    torch.testing.assert_close(torch.cat([part.x for part in parts]), whole.x, rtol=0, atol=1e-4)
    for field in ("success", "queries", "gradients"):
        assert torch.equal(torch.cat([getattr(part, field) for part in parts]), getattr(whole, field))


@pytest.mark.parametrize("text", WALKS)
def test_a_start_depends_on_the_seed_of_its_sample_alone(text):
    x, y = pictures(8)
    attack = noise(spec_of(text, steps=1))

    def starts(rows, seeds):
        victim = Recorder()
        attack(victim, x[rows], y[rows], seeds)
        return victim.batches[1]

    seeds = [5, 6, 7, 8, 9, 10, 11, 12]
    assert torch.equal(starts([2, 5], [7, 10]), starts(list(range(8)), seeds)[[2, 5]])
    assert not torch.equal(starts([2], [8]), starts([2], [7]))


@pytest.mark.parametrize("text", WALKS)
def test_start_false_begins_at_the_clean_input(text):
    x, y = pictures(4)
    victim = Recorder()
    noise(spec_of(text, steps=1, start="false"))(victim, x, y, range(4))
    assert torch.equal(victim.batches[1], x)


@pytest.mark.parametrize("text", WALKS)
def test_more_steps_and_restarts_never_hurt_the_best(text):
    x, y = pictures(60)
    few, many, again = (
        noise(spec_of(text, **settings))(TorchVictim(net()), x, y, range(60))
        for settings in ({"steps": 4, "step": 0.03}, {"steps": 12, "step": 0.03}, {"steps": 4, "step": 0.03, "restarts": 3})
    )
    for more in (many, again):
        assert (more.success | ~few.success).all()
        missed = ~more.success
        loss = TorchVictim(net()).loss
        assert (loss(more.x, y)[missed] >= loss(few.x, y)[missed] - 1e-6).all()


@pytest.mark.parametrize("text", [*WALKS, "fgsm-linf"])
def test_the_bill_counts_the_samples_of_every_forward(text):
    x, y = pictures(30)
    victim = Recorder()
    found = noise(spec_of(text))(victim, x, y, range(30))
    assert int(found.queries.sum()) == sum(len(batch) for batch in victim.batches)
    assert (found.gradients <= found.queries).all()
    assert len(victim.batches[-1]) < 30 or text == "fgsm-linf"


def test_last_walks_every_step():
    x, y = pictures(10)
    found = noise("pgd-linf:eps=0.3,steps=7,keep=last")(TorchVictim(net()), x, y, range(10))
    assert (found.queries == 9).all()
    assert (found.gradients == 7).all()


@pytest.mark.parametrize("text", SPECS)
def test_eps_zero_gives_the_input_back(text):
    x, y = pictures(5)
    found = noise(spec_of(text, eps=0))(TorchVictim(net()), x, y, range(5))
    assert torch.equal(found.x, x)
    assert not found.success.any()


@pytest.mark.parametrize("text", ALONE)
def test_a_large_budget_fools_everything_that_an_attack_can(text):
    x, y = pictures(40)
    settings = {"step": 0.3 if norm_of(text) == "linf" else 3, "restarts": 5} if text in WALKS else {}
    if text.startswith("hopskipjump"):
        settings = {"queries": 60}  # fewer would not pay for the way back to the boundary, so no start is tried
    robust = 1 - noise(spec_of(text, eps=1000, **settings))(TorchVictim(net()), x, y, range(40)).success.float().mean()
    assert robust == 0 if text in WALKS else robust < 1


def test_the_gradient_mode_is_asked_for():
    x, y = pictures(2)
    victim = Recorder()
    noise("pgd-linf:eps=0.1,steps=1,grad=ste-full")(victim, x, y, [0, 1])
    assert set(victim.modes) == {"ste-full"}


def test_an_annealed_mode_grows_sharper_step_by_step():
    victim, (x, y) = Recorder(), pictures(2)
    noise("pgd-linf:eps=0.1,steps=3,keep=last,grad=soft:4..1")(victim, x, y, [0, 1])
    assert list(dict.fromkeys(victim.modes)) == ["soft:4", "soft:2", "soft:1"]


def test_a_network_without_gradient_is_refused_by_name_of_what_works():
    x, y = pictures(2)
    for text in (name for name in ON_PICTURES if ATTACKS.load(name).needs_gradient):
        with pytest.raises(SpecError, match="square-linf"):
            noise(spec_of(text))(TorchVictim(net(), differentiable=False), x, y, [0, 1])
    assert noise("noise-linf:eps=0.3,draws=20")(TorchVictim(net(), differentiable=False), x, y, [0, 1]).gradients.sum() == 0
    assert noise("square-linf:eps=0.3,queries=30")(TorchVictim(net(), differentiable=False), x, y, [0, 1]).success.all()


@pytest.mark.parametrize("text", SPECS)
def test_the_bill_of_a_sample_that_stands_is_known_before(text):
    x, y = pictures(3)
    attack = noise(spec_of(text, eps=0))
    found = attack(TorchVictim(net()), x, y, range(3))
    bill = attack.bill(classes=4)
    spent = found.queries - 1 if "hopskip" not in text else found.queries.clamp_min(bill.queries + 1) - 1  # it may end earlier
    assert (spent == bill.queries).all()
    assert (found.gradients == bill.gradients).all()


def test_autoattack_costs_what_the_reference_counts():
    """Measured for pyautoattack: 7,888 forwards and 1,910 gradients; a few of its forwards are repeated ones."""
    assert noise("autoattack-linf:eps=0.1").bill(classes=10) == (7811, 1900)


@pytest.mark.parametrize("text", ["pgd-linf", "apgd-ce-l2", "square-l1", "pgd-linf:keep=last"])
def test_several_budgets_in_one_call(text):
    x, y = pictures(40)
    y[:2] = (y[:2] + 1) % 4
    budgets = [EPS[norm_of(text)] * factor for factor in (1.0, 0.2, 0.5)]
    victim = Recorder()
    large, small, middle = sweep(noise(spec_of(text)), victim, x, y, range(40), budgets)
    alone = noise(spec_of(text, eps=budgets[1]))(TorchVictim(net()), x, y, range(40))
    assert torch.equal(small.x, alone.x) and torch.equal(small.queries, alone.queries)
    for eps, found in zip(budgets, (large, small, middle), strict=True):
        assert torch.equal(net()(found.x).argmax(1) != y, found.success)
        assert (length(found.x - x, norm_of(text)) <= eps * (1 + 1e-6) + 1e-6).all()
    if "last" not in text:
        assert (small.success <= middle.success).all() and (middle.success <= large.success).all()
        assert torch.equal(large.x[small.success], small.x[small.success])
        assert int(large.queries.sum()) == sum(map(len, victim.batches))
    assert 0 < small.success.sum() < large.success.sum()


def test_a_minimum_norm_attack_tells_the_distance():
    x, y = pictures(20)
    y[0] = (y[0] + 1) % 4
    found = noise("fmn-l2:steps=30")(TorchVictim(net()), x, y, range(20))
    assert found.columns["distance"][0] == 0
    torch.testing.assert_close(found.columns["distance"].double(), length(found.x - x, "l2"), rtol=1e-4, atol=1e-6)
    alone = noise("fmn-l2:steps=30")(TorchVictim(net()), x[:1], y[:1], [0])  # a batch with nothing to search
    assert alone.columns["distance"].tolist() == [0]
    near = noise("fmn-l2:steps=30,eps=0.05")(TorchVictim(net()), x, y, range(20))
    assert torch.equal(near.columns["distance"], found.columns["distance"])


def test_a_minimum_norm_attack_answers_all_budgets_at_once():
    x, y = pictures(30)
    victim, attack = Recorder(), noise("fmn-l2:steps=30")
    small, large = sweep(attack, victim, x, y, range(30), [0.1, 0.4])
    assert len(victim.batches) == 33 and (small.success <= large.success).all()
    assert 0 < small.success.sum() < large.success.sum()
    for eps, found in ((0.1, small), (0.4, large)):
        assert torch.equal(net()(found.x).argmax(1) != y, found.success)
        assert (length(found.x - x, "l2") <= eps * (1 + 1e-6)).all()


class Damaged(nn.Module):
    """Finite on clean pictures, NaN as soon as one moved."""

    def forward(self, x):
        return net()(x) + torch.where(x[:, :1, 0, 0] == 0.5, 0.0, torch.nan)


def test_nan_is_an_error_and_not_a_success():
    x, y = pictures(3)
    x[:, 0, 0, 0] = 0.5
    y = net()(x).argmax(1)
    for text in ("pgd-linf", "noise-l2", "fgsm-linf"):
        with pytest.raises(ModelError, match="NaN"):
            noise(spec_of(text))(TorchVictim(Damaged()), x, y, range(3))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "pgd-linf:eps=-1",
            "pgd-linf:eps=nan",
            "pgd-linf:eps=inf",
            "noise-l2:eps=nan",
            "pgd-l2:eps=1,steps=0",
            "pgd-l2:eps=1,step=0",
        ),
        *("pgd-l2:eps=1,restarts=0", "pgd-l2:eps=1,restarts=2,start=false", "pgd-l2:eps=1,grad=none", "pgd-l2:eps=1,keep=first"),
        *(
            "pgd-l1:eps=1,projection=fast",
            "mim-linf:eps=1,decay=2",
            "noise-linf:eps=1,draws=0",
            "fgsm-linf:eps=1,steps=3",
            "pgd-linf:eps=1,loss=square",
            "pgd-linf:eps=1,temperature=0",
            "apgd-ce-linf:eps=1,steps=0",
            "apgd-t-linf:eps=1,targets=0",
            "fab-t-l2:eps=-1",
            "square-l1:eps=1,queries=0",
            "autoattack-linf:eps=1,queries=0",
            "pgd-linf",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(SpecError):
        noise(text)


def test_inputs_that_make_no_sense_are_refused():
    x, y = pictures(3)
    attack, victim = noise("pgd-linf:eps=0.1"), TorchVictim(net())
    for bad in (
        (x * 255, y, range(3)),
        (x, y[:2], range(3)),
        (x, y, range(2)),
        (x[:, 0, 0, 0], y, range(3)),
        (x.long(), y, range(3)),
    ):
        with pytest.raises(ShapeError):
            attack(victim, *bad)
    with pytest.raises(ShapeError, match="N×C×H×W"):
        noise("square-linf:eps=0.1")(victim, x.flatten(1), y, range(3))


def test_every_attack_carries_its_card():
    for card in ATTACKS.cards():
        assert card.source.startswith("arXiv ")
        entry = ATTACKS.load(card.name)
        assert (entry.site, entry.family) == ("tensor", "adversarial")
        assert set(entry.kinds) <= {"image", "text", "keyword", "points"}
        assert "Differs from the paper:" in entry.__doc__


@pytest.mark.parametrize("kind", ["apgd-t", "fab-t"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_classes_side_by_side_find_what_one_after_the_other_finds(kind, norm, monkeypatch):
    x, y = pictures(10)
    attack = noise(spec_of(f"{kind}-{norm}", steps=12, eps=EPS[norm] / 3))
    found = []
    for together in (1, 25, 1000):
        monkeypatch.setattr("bitproof.noises.attacks.towards.TOGETHER", together)
        victim = Recorder()
        found.append((attack(victim, x, y, range(10)), len(victim.batches)))
    (alone, forwards), *others = found
    assert 0 < alone.success.sum() < 10
    for beside, fewer in others:
        assert torch.equal(beside.success, alone.success)
        assert torch.equal(beside.queries, alone.queries)
        assert torch.equal(beside.gradients, alone.gradients)
        torch.testing.assert_close(beside.x, alone.x, rtol=0, atol=1e-4)
        assert fewer < forwards


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_queries_asked_ahead_find_what_one_after_the_other_finds(norm, monkeypatch):
    x, y = pictures(10)
    attack = noise(spec_of(f"square-{norm}", queries=120))
    found = []
    for room in (1, 25, 90):
        monkeypatch.setattr("bitproof.noises.attacks.square.ROOM", room)
        victim = Recorder()
        found.append((attack(victim, x, y, range(10)), len(victim.batches)))
    (alone, forwards), *others = found
    assert 0 < alone.success.sum() < 10
    for ahead, fewer in others:
        assert torch.equal(ahead.success, alone.success)
        assert torch.equal(ahead.queries, alone.queries)
        torch.testing.assert_close(ahead.x, alone.x, rtol=0, atol=1e-6)
        assert fewer < forwards
