"""Ranges chosen by the network's loss: gradients, scores, blocks, and the choices themselves, against what is written out here."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_products import hf_vit, run, swin, vit
from torch import nn

from bitproof.convert import QuantAttention, QuantLayer, Recipe, insert, kept_recipe, quantize
from bitproof.convert.blocks import blocks, fisher_loss, unquantized, watched
from bitproof.convert.guide import score
from bitproof.convert.reparametrise import reparametrise_
from bitproof.core import SpecError, seed

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
