"""What holds a student inside: the formula in NumPy, padding, gradients to queries and keys, and a whole training with it."""

import numpy as np
import pytest
import torch
from tiny_bert import reviews, tiny_bert

from bitproof import models
from bitproof.convert import quantize
from bitproof.core import ModelError, SpecError, UnknownName
from bitproof.tasks import load_any, sentences
from bitproof.training import MATCHES, Training, train
from bitproof.training.direction import DirectionMatching, apart, relation
from bitproof.training.matching import Watch, matched, matching

transformers = pytest.importorskip("transformers", reason="the extra text")


def test_the_formula():
    rng = np.random.default_rng(0)
    s, t = rng.standard_normal((2, 2, 5, 8)).astype(np.float32)
    keep = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    x = torch.from_numpy(np.stack([keep] * 3, 1))

    def products(f):
        found = np.zeros((2, 4, 5, 5))
        for n in range(2):
            for h in range(4):
                rows = f[n, :, 2 * h : 2 * h + 2] * keep[n][:, None]
                found[n, h] = rows @ rows.T
        return found

    def distance(a, b):
        return np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b))

    named = {"layer.0.query": (s, t), "encoder.layer.0": (t, s)}
    student, teacher = ({name: torch.from_numpy(pair[i]) for name, pair in named.items()} for i in (0, 1))
    expected = distance(products(s), products(t)) + distance(t * keep[..., None], s * keep[..., None])
    assert float(DirectionMatching(heads=4)(student, teacher, x)) == pytest.approx(expected, rel=1e-5)


def test_directions_alone_count():
    f = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    assert float(apart(relation(f, 2, None), relation(3 * f, 2, None))) < 1e-5
    f.requires_grad_()
    apart(f, f.detach()).backward()
    assert f.grad.isfinite().all()  # a student that is its teacher yet


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return models.load(f"transformers:{tiny_bert(tmp_path_factory.mktemp('tiny'))},length=16")


class Reviews(torch.utils.data.Dataset):
    def __init__(self, network, path):
        from bitproof.noises import noise

        samples = load_any(f"glue:sst2,{reviews(path, 32)}").data.samples
        self.x = torch.from_numpy(np.stack([noise("tokens")(sentences(s.read()), network.form) for s in samples]))
        self.y = torch.tensor([s.label for s in samples])

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]

    def finish(self, x):
        return x


@pytest.fixture(scope="module")
def data(network, tmp_path_factory):
    return Reviews(network, tmp_path_factory.mktemp("data") / "train.tsv")


def seen(net, match, x):
    watch = Watch(net, match.at)
    net(x)
    watch.close()
    return watch.take()


def test_student_and_teacher_are_met_at_the_same_places(network, data):
    student = quantize(network.module, "bibert:w1a1", [data.x[:8]]).model.train()
    match = DirectionMatching(heads=2)
    mine, theirs = (seen(net, match, data.x[:8]) for net in (student, network.module))
    assert list(mine) == list(theirs) and len(mine) == 1 + 2 * (3 + 1)
    matched(match, mine, theirs, data.x[:8]).backward()
    held = [name for name, p in student.named_parameters() if p.grad is not None and p.grad.any()]
    assert all(any(word in name and "1.attention" in name for name in held) for word in ("query", "key", "value"))


def test_a_training_is_held_by_it(network, data):
    """The last epoch's insides are nearer with it than without, and the same seed gives the same numbers."""
    settings = {"epochs": 3, "batch_size": 8, "lr": 2e-3, "optimizer": "adamw", "distill": 0.5}
    match = DirectionMatching(heads=2)

    def distance(spec):
        student = quantize(network.module, "bibert:w1a1", [data.x]).model
        train(student, data, Training(**settings, match=spec), seed=0, teacher=network.module)
        with torch.no_grad():
            return float(matched(match, seen(student, match, data.x), seen(network.module, match, data.x), data.x))

    held = distance("dmd:heads=2")
    assert held < 0.9 * distance(None) and held == distance("dmd:heads=2")


def test_what_cannot_be_matched_is_said(network, data):
    with pytest.raises(UnknownName, match="dmd"):
        matching("dmf")
    for spec, says in (("dmd:heads=0", "at least 1"), ('dmd:at="(("', "regular expression")):
        with pytest.raises(SpecError, match=says):
            matching(spec)
    for spec, error, says in (("dmd:at=conv", ModelError, "no module of Encoder"), ("dmd:heads=5", ModelError, "of 5 heads")):
        with pytest.raises(error, match=says):
            train(network.module, data, Training(epochs=1, lr=1e-4, distill=0.5, match=spec), seed=0, teacher=network.module)
    assert "dmd" in MATCHES


def test_trainings_from_before_keep_their_identity():
    assert "match" not in Training(epochs=1, lr=0.1).identity() and "start" not in Training(epochs=1, lr=0.1).identity()
