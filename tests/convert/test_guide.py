"""Ranges chosen by the network's loss: gradients, scores, blocks, and the choices themselves, against what is written out here."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_products import bert, hf_vit, run, swin, tokens, vit
from torch import nn

from bitproof.convert import QuantAttention, QuantLayer, Recipe, guide, insert, kept_recipe, quantize
from bitproof.convert.blocks import blocks, fisher_loss, unquantized, watched
from bitproof.convert.guide import score
from bitproof.convert.reparametrise import reparametrise_
from bitproof.core import ModelError, SpecError, seed

FAST = "candidates=4,rounds=1"


def pictures(n=6):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def inserted(build, recipe="apq-vit:w4a4"):
    return insert(build(), recipe, pictures(2)).model


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (vit, ["blocks.0", "blocks.1"]),
        (swin, ["layers.0.blocks.0", "layers.0.blocks.1", "layers.1.blocks.0", "layers.1.blocks.1"]),
        (hf_vit, ["net.vit.layers.0", "net.vit.layers.1"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_blocks_are_found_and_ends_stand_alone(build, names):
    model = inserted(build)
    found = blocks(unquantized(model)[0], pictures(2))
    assert [block.name for block in found if len(block.parts) > 1] == names
    assert isinstance(found[0].module, QuantLayer) and isinstance(found[-1].module, QuantLayer)
    parts = [m for m in model.modules() if isinstance(m, (QuantLayer, QuantAttention))]
    assert sum(len(block.parts) for block in found) == len(parts)


def test_gradients_are_those_of_the_loss_and_do_not_vanish():
    """A true gradient with respect to the block's output, not the output: by a finite difference of the loss."""
    model, x = inserted(vit).double(), pictures(4).double()
    reference, twins = unquantized(model)
    block = next(b for b in blocks(reference, x) if b.name == "blocks.0")
    mine = next(b for b in blocks(model_order(model), x) if b.name == "blocks.0")
    seen = watched(mine, reference, twins, [x])
    g, y = seen.whole.g[0], seen.whole.y[0]
    assert float(g.norm()) > 1e-4 and not torch.allclose(g, y)

    def loss(shift):
        hook = block.module.register_forward_hook(lambda module, args, out: out + shift)
        try:
            with torch.no_grad():
                logits = reference(x)
            with torch.no_grad():
                hook.remove()
                plain = reference(x).requires_grad_()
            labels = drawn_labels(plain)
            return float(F.cross_entropy(logits, labels, reduction="sum"))
        finally:
            hook.remove()

    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(3), dtype=y.dtype)
    step = 1e-5
    slope = (loss(step * direction) - loss(-step * direction)) / (2 * step)
    assert slope == pytest.approx(float((g * direction).sum()), rel=1e-4)


def model_order(model):
    """Blocks of the network itself, its quantizers told to watch: they have no ranges yet."""
    for module in model.modules():
        if isinstance(module, (QuantLayer, QuantAttention)):
            module.observing = True
    return model


def drawn_labels(logits):
    """One label a sample from the network's own probabilities, by the sample's number."""
    draws = [torch.rand(1, generator=torch.Generator().manual_seed(seed(0, "fisher", i))) for i in range(len(logits))]
    shares = logits.detach().softmax(1).cumsum(1)
    return torch.tensor([int((row < d).sum()) for row, d in zip(shares, draws, strict=True)])


def test_the_loss_is_the_fisher_informations():
    """Over many draws the squared gradient at the logits has the mean diag(p − p²), and its own draws split with the batch."""
    logits = torch.tensor([[2.0, 0.0, -1.0]]).repeat(4000, 1).requires_grad_()
    loss, count = fisher_loss(logits, 0)
    g = torch.autograd.grad(loss, logits)[0]
    p = logits[0].detach().softmax(0)
    torch.testing.assert_close(g.square().mean(0), p - p * p, rtol=0.1, atol=0.01)
    halves = [fisher_loss(part, start)[0] for part, start in ((logits[:2000], 0), (logits[2000:], 2000))]
    torch.testing.assert_close(sum(halves), loss)
    assert count == 4000


OUTPUTS = [(5, 1), (5, 3, 2), [(5, 3), (5, 2, 4)]]


@pytest.mark.parametrize("shapes", OUTPUTS, ids=str)
def test_samples_draw_by_their_number_whatever_comes_out(shapes):
    """Of numbers, of maps, of several outputs: the gradient is the draw."""
    outputs = [torch.zeros(shape, requires_grad=True) for shape in (shapes if isinstance(shapes, list) else [shapes])]

    def draws(bounds):
        parts = [fisher_loss(tuple(y[a:b] for y in outputs), a) for a, b in pairwise(bounds)]
        assert [count for _, count in parts] == [b - a for a, b in pairwise(bounds)]
        return torch.autograd.grad(sum(loss for loss, _ in parts), outputs)

    whole = draws([0, 5])
    assert all(torch.equal(a, b) for a, b in zip(whole, draws([0, 2, 3, 5]), strict=True))
    assert all(len(g.flatten().unique()) == g.numel() for g in whole)


def test_outputs_of_different_length_have_no_samples():
    y, other = torch.zeros(3, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    loss, count = fisher_loss((y, other), 7)
    g = torch.autograd.grad(loss, [y, other])
    assert count == 2 and not torch.equal(g[0], g[1][:3])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_scores_leave_the_smallest_errors_out(share):
    g = torch.Generator().manual_seed(0)
    e, weight = torch.randn(2, 50, generator=g), torch.randn(2, 50, generator=g)
    expected = []
    for row, w in zip(e.double().numpy(), weight.double().numpy(), strict=True):
        kept = np.argsort(np.abs(row))[int(share * len(row)) :]
        expected.append(((row * w)[kept] ** 2).sum())
    np.testing.assert_allclose(score(e, weight, share).numpy(), expected, rtol=1e-5)


class Two(nn.Module):
    """A network whose search can be written out: two layers and a ReLU."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(self.first(x).tanh())


@pytest.mark.parametrize("name", ["ptq4vit", "apq-vit"])
def test_the_choice_is_the_best_of_all(name):
    net, x = Two().eval(), torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    model = quantize(net, f"{name}:w3a32,first=same,last=same", [x]).model
    y = net.first(x).detach().requires_grad_()
    logits = net.last(y.tanh())
    g = torch.autograd.grad(F.cross_entropy(logits, drawn_labels(logits), reduction="sum"), y)[0]
    share = 0.1 if name == "apq-vit" else 0.0
    low, high = (0.7, 1.1) if name == "apq-vit" else (0.01, 1.2)
    errors = []
    w = net.first.weight.detach()
    for k in np.linspace(low, high, 101):
        s = float(w.abs().max()) * k / (3.5 if name == "ptq4vit" else 3)
        w_hat = s * (w / s).round().clamp(-4, 3)
        e = (y - F.linear(x, w_hat, net.first.bias)).detach().flatten()
        kept = e.abs().argsort()[int(share * e.numel()) :]
        errors.append((float(((e * g.flatten())[kept] ** 2).sum()), s))
    best = min(errors)
    found = float(model.first.weight_quantizer.info().scale)
    chosen = min(errors, key=lambda pair: abs(pair[1] - found))
    assert found == pytest.approx(chosen[1], rel=1e-5) and chosen[0] == pytest.approx(best[0], rel=1e-4)


@pytest.mark.parametrize(("recipe", "rounds"), [("w4a32", 1), ("w4a4", 2)])
def test_a_side_that_is_searched_alone_is_searched_once(recipe, rounds, monkeypatch):
    """With nothing that changes beside it a second round could only repeat the first."""
    searched = []
    search = guide._search
    monkeypatch.setattr(guide, "_search", lambda side, *rest: (searched.append(side), search(side, *rest))[1])
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    quantize(Two().eval(), f"ptq4vit:{recipe},first=same,last=same,candidates=4,rounds=2", [x])
    assert len(searched) == rounds * len(set(searched)) and len(set(searched)) == (2 if recipe == "w4a32" else 4)


class Written(nn.Module):
    """A block that writes into its input, and into what its layer took."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x, both):
        y = self.first(F.relu(x, inplace=True) + both[0]) * 2
        out = self.last(y)
        y.mul_(0)
        return out + x


class Writing(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.blocks = nn.Linear(6, 6), nn.ModuleList([Written()])

    def forward(self, x):
        x = self.stem(x)
        return self.blocks[0](x, both=(x * 2,))


@pytest.mark.parametrize("name", ["ptq4vit", "apq-vit"])
def test_what_a_block_takes_is_kept_as_it_came(name):
    net, x = Writing().eval(), torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    model = quantize(net, f"{name}:w4a4,{FAST}", [x]).model
    reference, twins = unquantized(model)
    block = blocks(model, x)[1]
    watch = watched(block, reference, twins, [x])
    with torch.no_grad():
        came = net.stem(x)
        inner = net.blocks[0].first(came.relu() + 2 * came) * 2
    first, last = watch.layers.values()
    for _ in range(2):
        for seen, expected in ((watch.whole, came), (first, came.relu() + 2 * came), (last, inner)):
            torch.testing.assert_close(torch.cat([args[0] for args, _ in seen.given]), expected)
        torch.testing.assert_close(torch.cat([kwargs["both"][0] for _, kwargs in watch.whole.given]), 2 * came)
        with torch.no_grad():
            guide._layer(block.parts[-1], block.module, watch)  # the search leaves them as they were


class Unminded(nn.Module):
    """The loss has no gradient at its second layer."""

    def __init__(self, used):
        super().__init__()
        torch.manual_seed(0)
        self.used, self.last, self.second = used, nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        with torch.no_grad():
            y = self.second(x)
        return self.last(x) + y if self.used else self.last(x)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize(("name", "top"), [("ptq4vit", 7.5), ("apq-vit", 7)])
def test_what_the_loss_does_not_mind_keeps_its_full_range(name, top, used):
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    second = quantize(Unminded(used).eval(), f"{name}:w4a4,first=same,last=same,{FAST}", [x]).model.second
    assert float(second.weight_quantizer.info().scale) == pytest.approx(float(second.layer.weight.detach().abs().max()) / top)


@pytest.mark.parametrize("answer", [lambda y: F.one_hot(y.argmax(1)).float(), lambda y: y.argmax(1)])
def test_a_network_without_a_gradient_is_refused(answer):
    class Decided(Two):
        def forward(self, x):
            return answer(super().forward(x))

    with pytest.raises(ModelError, match="errors matter"):
        quantize(Decided().eval(), f"ptq4vit:w4a4,{FAST}", [torch.randn(8, 6)])


def swin_v2():
    import timm

    torch.manual_seed(0)
    return timm.create_model(
        "swinv2_tiny_window8_256", img_size=32, window_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4), num_classes=3
    ).eval()


@pytest.mark.parametrize(
    ("build", "batch", "recipe"),
    [
        *((swin_v2, pictures, name) for name in ("ptq4vit:w8a8", "apq-vit:w8a8", "repq-vit:w8a8")),
        *((bert, tokens, name) for name in ("ptq4vit:w8a8,embed=word", "apq-vit:w8a8,embed=all", "ptq4vit:w8a8,embed=all")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_layers_whose_inputs_carry_no_gradient(build, batch, recipe):
    """Position biases made of a constant, and embeddings, whose inputs are numbers of words."""
    net, x = build(), batch(4)
    before = run(net, x)
    model, report = quantize(net, recipe + ("" if recipe.startswith("repq") else f",{FAST}"), [x])
    assert sum(layer.changed for layer in report.layers) > 8
    assert float((run(model, x) - before).norm() / before.norm()) < 0.2


@pytest.mark.parametrize("build", [vit, swin, hf_vit], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["ptq4vit", "apq-vit", "repq-vit"])
def test_transformers_of_all_libraries(build, name):
    """At 8 bits the answers stay, no product is forgotten, and what is saved is the whole network."""
    net, x = build(), pictures(4)
    recipe = f"{name}:w8a8" + ("" if name == "repq-vit" else f",{FAST}")
    state = torch.random.get_rng_state()
    before = run(net, x)
    model, report = quantize(net, recipe, [x])
    assert torch.equal(run(net, x), before) and torch.equal(torch.random.get_rng_state(), state)
    assert all(product.bits == 8 for product in report.products) and len(report.products) >= 2
    assert float((run(model, x) - before).norm() / before.norm()) < 0.2
    fresh = insert(build(), recipe, x[:2]).model
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(run(fresh.eval(), x), run(model, x))
    assert torch.equal(run(copy.deepcopy(model), x), run(model, x))


def test_batches_change_nothing():
    whole, parts = (quantize(vit(), f"apq-vit:w4a4,{FAST}", list(pictures().split(n))).model for n in (6, 2))
    for (name, one), other in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6, msg=name)


def test_what_is_held_does_not_grow_with_depth():
    import timm

    sizes = []
    for depth in (1, 3):
        net = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=depth, num_classes=3).eval()
        model = insert(net, "apq-vit:w4a4", pictures(2)).model
        reference, twins = unquantized(model)
        block = next(b for b in blocks(model_order(model), pictures(2)) if b.name == "blocks.0")
        watch = watched(block, reference, twins, [pictures()])
        held = [watch.whole, *watch.layers.values()]
        held += [seen for both in watch.attentions.values() for seen in (both.scores, both.context)]
        sizes.append(sum(t.numel() for seen in held for t in [*seen.y, *seen.g]))
    assert sizes[0] == sizes[1] > 0


def given_by(model, norms, x):
    """The answers, and what each norm gives, rows×channels."""
    reference, twins = unquantized(model)
    found: dict[nn.Module, torch.Tensor] = {}
    for norm in norms:
        twins[norm].register_forward_hook(lambda m, args, y, norm=norm: found.update({norm: y.reshape(-1, y.shape[-1])}))
    return run(reference, x), found


@pytest.mark.parametrize(("build", "count"), [(vit, 4), (swin, 9), (hf_vit, 4)], ids=lambda value: getattr(value, "__name__", ""))
def test_rescaled_norms_are_the_same_network_with_one_range(build, count):
    model, x = inserted(build, "repq-vit:w4a4"), pictures()
    answers, before = given_by(model, [m for m in model.modules() if isinstance(m, nn.LayerNorm)], x)
    norms = reparametrise_(model, [x])
    answers_now, after = given_by(model, norms, x)
    assert len(norms) == count  # all before attentions, hidden layers and merged patches
    torch.testing.assert_close(answers_now, answers, rtol=1e-3, atol=1e-3 * float(answers.abs().max()))
    for norm in norms:
        span = after[norm].amax(0) - after[norm].amin(0)
        both_signs = (before[norm].amin(0) < 0) & (before[norm].amax(0) > 0)  # the others' ranges held 0 too
        one = span[both_signs].median()
        assert float(both_signs.float().mean()) > 0.7
        torch.testing.assert_close(span[both_signs], one.expand(int(both_signs.sum())), rtol=1e-3, atol=0)


class Shared(nn.Module):
    """A norm whose output goes to a layer, and past it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.layer = nn.LayerNorm(6), nn.Linear(6, 6)

    def forward(self, x):
        x = self.norm(x)
        return x + self.layer(x)


def test_a_norm_that_others_read_stays():
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 9, 1, 5, 1, 1])
    model = insert(Shared(), "repq-vit:w4a4,first=same,last=same", x[:2]).model
    assert reparametrise_(model, [x]) == []
    assert torch.equal(model.norm.weight, torch.ones(6)) and torch.equal(model.layer.layer.weight, Shared().layer.weight)


def test_what_is_chosen_together_is_not_measured_layer_by_layer():
    with pytest.raises(SpecError, match="block"):
        kept_recipe(Recipe.parse("apq-vit:w4a4,products=float"))
