"""What patches are worth without knowing the class: against the rule, written out sample by sample."""

import pytest
import torch
from torch import nn

from bitproof.bench.labelfree import Tried, answers
from bitproof.core import SpecError
from bitproof.defenses import Patches, canonical, defense
from bitproof.models import TorchVictim
from bitproof.noises import noise

CLASSES, SAMPLES = 5, 7


class Network:
    device = torch.device("cpu")

    def logits(self, x):
        return x


def test_each_class_is_asked_with_its_own_patch_and_without_where_it_has_none():
    labels = (1, 3)
    drawn = {label: torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(label or 9)) for label in (None, *labels)}
    asked = []

    def shown(label):
        asked.append(label)
        return [(list(range(4)), drawn[label][:4]), (list(range(4, 7)), drawn[label][4:])]

    found = list(answers(Network(), labels, shown, CLASSES))
    assert [samples for samples, _ in found] == [[0, 1, 2, 3], [4, 5, 6]] and sorted(asked, key=str) == [1, 3, None]
    z = torch.cat([each for _, each in found])
    for i in range(SAMPLES):
        for c in range(CLASSES):
            p = drawn[c if c in labels else None][i].double().softmax(dim=0)[c]
            assert float(z[i, c].double().exp()) == pytest.approx(float(p), rel=1e-5)


def test_without_patches_that_matter_the_answer_is_the_networks_own():
    """A restriction to the classes that have patches would be a gain of its own."""
    x = torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(1))
    [(_, z)] = answers(Network(), (0, 2), lambda label: [(list(range(SAMPLES)), x)], CLASSES)
    assert torch.equal(z.argmax(1), x.argmax(1))


def test_where_every_class_has_a_patch_none_is_asked_without():
    asked = []
    drawn = torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(1))
    [_] = answers(Network(), range(CLASSES), lambda label: asked.append(label) or [([0] * SAMPLES, drawn)], CLASSES)
    assert asked == list(range(CLASSES))


def trying():
    torch.manual_seed(0)
    net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, CLASSES)).eval()
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:3] = True
    return net, Patches(torch.rand(2, 3, 8, 8), mask, (1, 3)), torch.rand(SAMPLES, 3, 8, 8)


def test_as_one_network_the_rule_gives_the_same_answers_and_their_slope():
    net, patches, x = trying()
    tried, bare = Tried(net, patches), TorchVictim(net)
    [(_, z)] = answers(bare, (1, 3), lambda c: [([0] * SAMPLES, x if c is None else patches(x, c, 0))], CLASSES)
    torch.testing.assert_close(tried(x).detach(), z)
    moved = x.clone().requires_grad_()
    tried(moved)[:, 3].sum().backward()
    assert not moved.grad[:, :, :3].any(), "where the patch of that class lies, the picture does not matter"
    along, step = torch.randn_like(x), 1e-2
    slope = (tried(x + step * along) - tried(x - step * along))[:, 3].sum() / (2 * step)
    torch.testing.assert_close((moved.grad * along).sum(), slope.detach(), rtol=1e-2, atol=1e-3)


def test_an_attack_goes_through_all_patches_and_raises_the_loss_of_the_rule_s_own_answer():
    net, patches, x = trying()
    victim = TorchVictim(Tried(net, patches))
    y = victim.decide(x)
    found = noise("pgd-linf:eps=32/255,steps=10,keep=last")(victim, x, y, list(range(SAMPLES)))
    assert (victim.loss(found.x, y) > victim.loss(x, y) + 1e-3).all()
    assert (found.x - x).abs().max() <= 32 / 255 + 1e-6


def test_the_word_for_it_is_one_of_two_and_stands_after_everything():
    assert defense("defensive-patch").knows_label and not defense("unadversarial:label=free").knows_label
    assert canonical("defensive-patch:label=known") == "defensive-patch"
    for wrong in ("defensive-patch:label=unknown", "defensive-patch:label=free,at=after"):
        with pytest.raises(SpecError, match="label="):
            defense(wrong)
