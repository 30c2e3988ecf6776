"""What every defense promises. A check takes the registered class, as ``bitproof list defenses`` knows it."""

import dataclasses
import inspect
import random

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.convert import Rewriter
from bitproof.core import Batches, Spec, SpecError, bind
from bitproof.models import TorchVictim

SIZE, LABELS = 16, (0, 1, 2)

#: Settings that make a fit quick, for those that have them; and what has no default.
QUICK = {"steps": "3", "epochs": "1", "n": "8", "batch": "4", "noise": "fog:3"}


def built(entry, **settings):
    names = [field.name for field in dataclasses.fields(entry)]
    words = {name: value for name, value in {**QUICK, **settings}.items() if name in names}
    return bind(Spec("it", tuple(words.items())), entry)


def batches():
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(8, 3, SIZE, SIZE, generator=draw)
    y = torch.arange(8) % 3
    return Batches(((x[:4], y[:4]), (x[4:], y[4:])), LABELS, SIZE, 5)


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    ).eval()


def fitted(entry, given=None):
    with torch.random.fork_rng():
        victims = [TorchVictim(net())]
        return built(entry).fit(victims, given or batches())


def check_says_what_it_is(entry):
    assert entry.site in ("image", "model")
    assert isinstance(entry.fitted, bool)
    assert isinstance(built(entry).knows_label, bool)
    assert entry.source
    assert entry.version >= 1
    assert (entry.__doc__ or "").strip()
    assert "Source:" in inspect.getdoc(entry)
    assert "Differs from the paper" in inspect.getdoc(entry)


def check_stands_before_or_after(entry):
    if entry.site != "image":
        return
    for at in ("before", "after"):
        assert built(entry, at=at).at == at
    with pytest.raises(SpecError):
        built(entry, at="within")


def check_same_fit_same_shield(entry):
    x = batches().pictures[0][0]
    if entry.site == "model":
        one, two = (fitted(entry)(Rewriter(net(), x))(x) for _ in range(2))
    else:
        one, two = (fitted(entry)(x, 1, 7) for _ in range(2))
    assert torch.equal(one, two)


def check_stays_in_the_bounds_and_leaves_its_input_alone(entry):
    if entry.site != "image":
        return
    x, shield = batches().pictures[0][0], fitted(entry)
    before = x.clone()
    with torch.no_grad():
        y = shield(x, 1, 7)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert 0 <= float(y.min())
    assert float(y.max()) <= 1
    assert torch.equal(x, before)
    assert y.data_ptr() != x.data_ptr()


def check_tells_whether_it_draws_and_what_it_shows(entry):
    if entry.site != "image":
        return
    x, shield = batches().pictures[0][0], fitted(entry)
    seen = [shield(x, 1, seed) for seed in range(8)]
    assert all(torch.equal(seen[0], other) for other in seen) != shield.draws
    assert (shield.shown(1, 0) is not None) == built(entry).knows_label
    if not built(entry).knows_label:
        assert torch.equal(shield(x, 0, 3), shield(x, 2, 3))


def check_batches_change_nothing(entry):
    if entry.site != "image":
        return
    x, shield = batches().pictures[0][0], fitted(entry)
    torch.testing.assert_close(torch.cat([shield(x[:1], 1, 7), shield(x[1:], 1, 7)]), shield(x, 1, 7))


def check_carries_a_gradient(entry):
    if entry.site != "image":
        return
    x = batches().pictures[0][0].clone().requires_grad_()
    fitted(entry)(x, 1, 7).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.any()


def check_leaves_networks_and_generators_alone(entry):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    network, before = net(), states()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    made = built(entry).fit([TorchVictim(network)], batches())
    if entry.site == "model":
        made(Rewriter(network, batches().pictures[0][0]))
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    torch.manual_seed(0)
    net_state = states()
    made = built(entry).fit([TorchVictim(network)], batches())
    assert states() == net_state
    assert before


CHECKS = [
    check_says_what_it_is,
    check_stands_before_or_after,
    check_same_fit_same_shield,
    check_stays_in_the_bounds_and_leaves_its_input_alone,
    check_tells_whether_it_draws_and_what_it_shows,
    check_batches_change_nothing,
    check_carries_a_gradient,
    check_leaves_networks_and_generators_alone,
]
