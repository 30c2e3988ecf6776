"""Distillation of what lies inside, and several depths in one training."""

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.core import ModelError, ShapeError, SpecError, UnknownName
from bitproof.models import load
from bitproof.training import MATCHES, Training, train
from bitproof.training.bands import apart, bands, emphasized
from bitproof.training.matching import Watch, matched


def maps(seed=0, shape=(3, 6, 8)):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def haar(h):
    """One level of the 2-D Haar transform of a map of even sides, as four bands, and its inverse from some of them."""
    a, b, c, d = h[0::2, 0::2], h[0::2, 1::2], h[1::2, 0::2], h[1::2, 1::2]
    return (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2


def inverse(ll, lh, hl, hh):
    out = np.zeros((2 * ll.shape[0], 2 * ll.shape[1]))
    out[0::2, 0::2], out[0::2, 1::2] = (ll + lh + hl + hh) / 2, (ll - lh + hl - hh) / 2
    out[1::2, 0::2], out[1::2, 1::2] = (ll + lh - hl - hh) / 2, (ll - lh - hl + hh) / 2
    return out


def test_bands_are_those_of_the_wavelet_and_add_up():
    h = maps()
    high, low = bands(h)
    torch.testing.assert_close(high + low, h)
    for sample in range(len(h)):
        ll, *details = haar(h[sample].double().numpy())
        nothing = np.zeros_like(ll)
        np.testing.assert_allclose(high[sample], inverse(nothing, *details), atol=1e-6)
        np.testing.assert_allclose(low[sample], inverse(ll, nothing, nothing, nothing), atol=1e-6)
    assert [tuple(band.shape) for band in bands(maps(shape=(2, 5, 7)))] == [(2, 5, 7)] * 2
    torch.testing.assert_close(bands(h[:, :, None])[0], high)
    with pytest.raises(ShapeError, match="channels×time"):
        bands(maps(shape=(2, 3)))


def test_the_two_distances_are_those_of_their_formulas():
    s, t = [maps(1), maps(2)], [maps(3), maps(4)]

    def r2b(a, b):
        a, b = (x.double().flatten(1).numpy() ** 2 for x in (a, b))
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return np.linalg.norm(a - b, axis=1).mean()

    hed = sum(r2b(x, emphasized(y)) for x, y in zip(s, t, strict=True))
    fid = sum(r2b(a, b) for x, y in zip(s, t, strict=True) for a, b in zip(bands(x), bands(y), strict=True))
    named = [dict(zip("ab", maps, strict=True)) for maps in (s, t)]
    assert float(MATCHES.build("hed")(*named, s[0])) == pytest.approx(hed, rel=1e-4)
    assert float(MATCHES.build("fid")(*named, s[0])) == pytest.approx(fid, rel=1e-4)
    assert float(apart(s[0], s[0])) < 1e-5


def test_an_equal_student_has_a_gradient_that_is_a_number():
    h = maps().requires_grad_()
    MATCHES.build("fid")({"a": h}, {"a": h.detach()}, h).backward()
    assert bool(h.grad.isfinite().all())


class Clips:
    """Eight clips of two words, as a network takes them; no pictures, values beyond [0, 1]."""

    x, y = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 20 - 30, torch.arange(8) % 2

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.x[index], int(self.y[index])

    def finish(self, x):
        return x


def trained(**words):
    network, teacher = load("bifsmn:classes=2").module, load("bifsmn:classes=2,seed=1").module
    settings = Training(epochs=1, lr=1e-3, optimizer="adamw", batch_size=8, **words)
    before = {name: p.clone() for name, p in network.named_parameters()}
    attacked = (lambda net, x, y: (net(x), x)[1]) if settings.adversarial else None
    train(network, Clips(), settings, seed=0, teacher=teacher if settings.taught else None, perturb=attacked)
    return network, {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}


def test_all_named_depths_learn_and_the_network_is_left_at_its_own():
    network, moved = trained(depths="8=1,2=0.5", match="hed")
    norms = {name.split(".norms.")[1].split(".")[0] for name in moved if ".norms." in name}
    assert norms == {"8", "2"} and network.net.depth == 8
    assert not any(module._forward_hooks for module in network.net.blocks)


def test_a_match_moves_what_the_logits_alone_would_not():
    matched, alone = trained(match="fid:weight=10")[0], trained()[0]
    assert not torch.equal(matched.net.blocks[0].up.weight, alone.net.blocks[0].up.weight)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"match": "hd"}, "hed"),
        ({"match": "hed:at=["}, "regular expression"),
        ({"depths": "8"}, "DEPTH=WEIGHT"),
        ({"depths": "8=1,8=2"}, "DEPTH=WEIGHT"),
        ({"depths": "8=0"}, "DEPTH=WEIGHT"),
        ({"teacher": "float"}, "distill > 0, a match or start"),
    ],
)
def test_what_makes_no_sense_is_refused(words, told):
    with pytest.raises((SpecError, UnknownName), match=told):
        Training(epochs=1, lr=0.1, **words)


def test_a_teacher_may_be_a_start_alone():
    assert not Training(epochs=1, lr=0.1, teacher="float", start="teacher").taught


def test_what_the_network_lacks_is_told():
    with pytest.raises(SpecError, match="no depth 3"):
        trained(depths="3=1")
    with pytest.raises(ModelError, match="no module"):
        Watch(nn.Linear(2, 2), "blocks")
    with pytest.raises(SpecError, match="teacher"):
        train(load("bifsmn:classes=2").module, Clips(), Training(epochs=1, lr=0.1, match="hed"), seed=0)


def test_trainings_from_before_keep_their_identity():
    assert "match" not in Training(epochs=1, lr=0.1).identity() and "depths" not in Training(epochs=1, lr=0.1).identity()
    assert "match=hed" in Training(epochs=1, lr=0.1, match="hed").identity()


def test_a_part_sees_no_maps_of_a_pass_before_it(monkeypatch):
    """An attack, and TRADES' second pass, run deeper blocks than the shallow part: those must not be matched again."""
    seen = []

    def noting(match, student, teacher, x):
        seen.append(len(student))
        return matched(match, student, teacher, x)

    monkeypatch.setattr("bitproof.training.step.matched", noting)
    trained(depths="2=1,8=1", match="hed", adversarial="pgd-linf:eps=0.1", trades=1.0)
    trained(depths="8=1,2=1", match="hed", adversarial="pgd-linf:eps=0.1", trades=1.0)
    assert seen[0] < seen[1] and seen == [*seen[:2], *seen[:2][::-1]]
