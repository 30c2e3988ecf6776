"""What patches are worth without knowing the class: against the rule, written out sample by sample."""

import pytest
import torch

from bitproof.bench.labelfree import answers

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
