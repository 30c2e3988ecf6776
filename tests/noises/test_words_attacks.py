"""Attacks on texts: words exchanged by their gradients, embeddings moved by PGD, both on a tiny encoder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_bert import WORDS, tiny_bert
from torch.nn import functional

from bitproof import models
from bitproof.bench.tokens import TextInputs, fixed_tokens
from bitproof.convert import quantize
from bitproof.core import SpecError, Worded
from bitproof.models import TorchVictim, WordVictim
from bitproof.noises import noise

pytest.importorskip("transformers", reason="the extra text")

TEXTS = ("the film was good", "it was a very bad film", "the awful film and it was poor", "great")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return models.load(f"transformers:{tiny_bert(tmp_path_factory.mktemp('tiny'))},length=12,seed=3")


def tokens(network):
    import numpy as np

    return torch.from_numpy(np.stack([noise("tokens")((text,), network.form) for text in TEXTS]))


def victim_of(network, module=None):
    return TextInputs().before(TorchVictim(module or network.module), network.form, ())


@pytest.fixture(scope="module", params=["fp32", "bibert:w1a1"])
def victim(network, request):
    x = tokens(network)
    module = None if request.param == "fp32" else quantize(network.module, request.param, [x]).model
    return victim_of(network, module)


def test_embeddings_are_the_network(network, victim):
    x = tokens(network)
    start = victim.start(x)
    torch.testing.assert_close(victim.logits(start), TorchVictim(victim.module).logits(x))
    assert isinstance(victim, Worded) and not isinstance(TorchVictim(network.module), Worded)
    assert torch.equal(victim.tokens(start), x[:, 0, : start.shape[1]])


def test_only_whole_words_are_free(network, victim):
    start = victim.start(tokens(network))
    names = [[WORDS[t] for t in row] for row in victim.tokens(start).tolist()]
    free = [
        [w for w, f in zip(row, flags, strict=True) if f] for row, flags in zip(names, victim.free(start).tolist(), strict=True)
    ]
    assert free == [text.split() for text in TEXTS]
    assert fixed_tokens(network.form).tolist() == [not word.isalpha() for word in WORDS]


@pytest.mark.parametrize("mark", ["▁", "Ġ"])
def test_parts_of_words_are_fixed_where_the_first_piece_is_marked(network, mark, tmp_path):
    plan = json.loads(Path(network.form.tokenizer).read_text(encoding="utf-8"))
    plan["model"]["vocab"] = {f"{mark}walk": 0, "ing": 1, f"{mark}the": 2, f"{mark},": 3, mark: 4, f"{mark}a1": 5}
    plan["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(plan), encoding="utf-8")
    form = replace(network.form, tokenizer=str(tmp_path / "tokenizer.json"))
    assert fixed_tokens(form).tolist() == [False, True, False, True, True, True]


def test_an_embedding_may_have_more_rows_than_the_tokenizer_has_tokens(network):
    short = fixed_tokens(network.form)[:-2]
    victim = WordVictim(network.module, fixed=short)
    assert len(victim.fixed) == len(victim.words) == len(short) + 2 and bool(victim.fixed[-2:].all())


def test_where_nothing_promises_anything_a_sample_is_asked_about_once(network, victim):
    start = victim.start(tokens(network))
    y = victim.decide(start)
    nothing = torch.full_like(victim.fixed, True)
    nothing[victim.tokens(start).unique()] = False
    found = noise("hotflip:share=1,similar=0.9999")(WordVictim(victim.module, victim.mode, fixed=nothing), start, y, [0] * 4)
    assert found.gradients.tolist() == [1] * 4 and torch.equal(found.x, start)


def test_the_first_exchange_is_the_best_of_all(network, victim):
    """By brute force, a backward a sample and a loop over words."""
    x, y = tokens(network), torch.zeros(4, dtype=torch.long)
    start = victim.start(x)
    y = victim.decide(start)
    found = noise("hotflip:share=0.01,similar=-1")(victim, start, y, [0] * 4)
    moved = start.clone().requires_grad_()
    victim.loss(moved, y).sum().backward()
    words, before, after = victim.words, victim.tokens(start), victim.tokens(found.x)
    for i, text in enumerate(TEXTS):
        best = {}
        for place in range(1, 1 + len(text.split())):
            for word in range(len(WORDS)):
                if WORDS[word].isalpha() and word != before[i, place]:
                    gain = (words[word] - start[i, place, :-3]) @ moved.grad[i, place, :-3]
                    best[place, word] = gain.item()
        changed = (before[i] != after[i]).nonzero().flatten().tolist()
        place, word = max(best, key=best.get)
        assert changed == [place]
        assert best[place, int(after[i, place])] == pytest.approx(best[place, word], abs=1e-6)


def test_no_more_words_than_its_share_and_only_alike_ones(network, victim):
    start = victim.start(tokens(network))
    y = victim.decide(start)
    found = noise("hotflip:share=0.5,similar=-0.1")(victim, start, y, [0] * 4)
    before, after = victim.tokens(start), victim.tokens(found.x)
    for i, text in enumerate(TEXTS):
        places = (before[i] != after[i]).nonzero().flatten().tolist()
        assert len(places) <= -(-len(text.split()) // 2)
        for place in places:
            old, new = victim.words[before[i, place]], victim.words[after[i, place]]
            assert functional.cosine_similarity(old, new, 0) >= -0.1
    assert torch.equal(found.success, victim.decide(found.x) != y)
    none = noise("hotflip:similar=0.999")(victim, start, y, [0] * 4)
    assert torch.equal(victim.tokens(none.x), before)


def test_pgd_moves_embeddings_and_nothing_else(network, victim):
    start = victim.start(tokens(network))
    y = victim.decide(start)
    found = noise("pgd-linf:eps=0.3,steps=5")(victim, start, y, [1, 2, 3, 4])
    assert float((found.x - start).abs().max()) <= 0.3 + 1e-5
    assert torch.equal(victim.tokens(found.x), victim.tokens(start))
    assert float(victim.loss(found.x, y).sum()) > float(victim.loss(start, y).sum())


@pytest.mark.parametrize("words", ["share=0", "share=2", "similar=1"])
def test_settings_that_cannot_be(words):
    with pytest.raises(SpecError, match="share ≤ 1"):
        noise(f"hotflip:{words}")


def test_pictures_have_no_words(network):
    net = TorchVictim(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)))
    with pytest.raises(SpecError, match="has none"):
        noise("hotflip")(net, torch.rand(1, 3, 2, 2), torch.tensor([0]), [0])
