"""HopSkipJump asks for labels alone, keeps to its queries, and comes near to the smallest change."""

import numpy as np
import pytest
import torch
from attacks_toy import net, pictures

from bitproof.core import SpecError
from bitproof.models import TorchVictim
from bitproof.noises import noise, sweep


class Labels(TorchVictim):
    """Tells nothing but labels, and counts how many."""

    labels_only = True
    asked = 0

    def logits(self, x):
        raise AssertionError("only labels may be asked for")

    def decide(self, x):
        self.asked += len(x)
        with torch.no_grad():
            return self.module(x).argmax(1)


@pytest.mark.parametrize(("norm", "factor"), [("l2", 1.2), ("linf", 1.5)])
def test_it_comes_near_to_the_smallest_change_and_tells_how_near(norm, factor):
    x, y = pictures(12)
    y[0] = (y[0] + 1) % 4
    victim, attack = Labels(net(), differentiable=False), noise(f"hopskipjump-{norm}:queries=2000")
    found = attack(victim, x, y, range(12))
    assert found.success.all()
    assert victim.asked == int(found.queries.sum())
    assert (found.queries <= 2002).all() and found.queries[0] == 1
    length = attack.norm.length(found.x - x)
    torch.testing.assert_close(found.columns["distance"], length, rtol=2e-3, atol=1e-6)
    by_gradient = noise(f"fmn-{norm}")(TorchVictim(net()), x, y, range(12)).columns["distance"]
    assert np.median(length[1:] / by_gradient[1:]) < factor


def test_nothing_is_asked_about_no_input():
    """Alone, a sample's search ends at every point of its budget; a victim may refuse an empty batch."""

    class Strict(Labels):
        def decide(self, x):
            assert len(x)
            return super().decide(x)

    x, y = pictures(12)
    for queries in range(40, 160, 10):
        for i in range(12):
            noise(f"hopskipjump-linf:queries={queries}")(Strict(net()), x[i : i + 1], y[i : i + 1], [i])


def test_more_queries_come_nearer():
    x, y = pictures(12)
    few, many = (
        noise(f"hopskipjump-l2:queries={queries}")(Labels(net()), x, y, range(12)).columns["distance"].median()
        for queries in (200, 2000)
    )
    assert many < 0.7 * few


def test_a_sample_does_not_depend_on_its_batch():
    x, y = pictures(6)
    attack = noise("hopskipjump-linf:queries=400")
    x, victim = x.double(), Labels(net().double())
    whole, alone = attack(victim, x, y, range(6)), attack(victim, x[4:5], y[4:5], [4])
    torch.testing.assert_close(whole.x[4:5], alone.x, rtol=0, atol=1e-9)
    assert whole.queries[4] == alone.queries[0]


def test_one_walk_answers_several_budgets():
    x, y = pictures(12)
    victim, attack = Labels(net()), noise("hopskipjump-l2:queries=1000")
    small, large = sweep(attack, victim, x, y, range(12), [0.15, 0.5])
    assert victim.asked == int(large.queries.sum())
    assert 0 < small.success.sum() < large.success.sum()


def test_what_lies_beyond_the_budget_is_brought_into_it():
    x, y = pictures(12)
    attack = noise("hopskipjump-l2:eps=0.15,queries=1000")
    found = attack(Labels(net()), x, y, range(12))
    assert (attack.norm.length(found.x - x) <= 0.15 * (1 + 1e-6)).all()
    assert torch.equal(found.success, net()(found.x).argmax(1) != y)
    assert (found.columns["distance"][~found.success] > 0.149).all()


def test_attacks_that_need_logits_are_refused_and_those_that_do_not_are_run():
    x, y = pictures(2)
    for text in ("square-linf:eps=0.1", "autoattack-linf:eps=0.1", "apgd-ce-l2:eps=0.1"):
        victim = Labels(net(), differentiable=text.startswith("auto"))
        with pytest.raises(SpecError, match="hopskipjump"):
            noise(text)(victim, x, y, range(2))
