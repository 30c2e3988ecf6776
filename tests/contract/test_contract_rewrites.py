"""Every noise at the site ``model`` through the checks of ``contract_rewrites``, and a wrong noise for each check."""

import pytest
import torch
from contract_rewrites import REWRITES, check_says_where_it_stands, networks
from torch import nn

from bitproof.noises import NOISES

Fp16 = NOISES.load("fp16")

OWN = [name for name in NOISES._own if NOISES.load(name).site == "model" and "image" in NOISES.load(name).kinds]
CHECKED = [(name, check) for name in OWN if NOISES.load(name).needs == "rewrite" for check in REWRITES]


@pytest.mark.parametrize("name", OWN)
def test_where_it_stands(name):
    check_says_where_it_stands(NOISES.load(name))


@pytest.mark.parametrize(("name", "check"), CHECKED, ids=lambda part: getattr(part, "__name__", part))
def test_rewrite(name, check):
    check(NOISES.load(name))


class Astray(Fp16):
    """Stands where pictures are resized."""

    site = "resize"


class Idle(Fp16):
    """Changes nothing."""

    def __call__(self, network):
        return network.copy()


class InPlace(Fp16):
    """Changes the network that it was given."""

    def __call__(self, network):
        with torch.no_grad():
            list(network.network.parameters())[-1].add_(0.01)
        return network.network


class Noisy(Fp16):
    """Draws anew at each call."""

    def __call__(self, network):
        return nn.Sequential(network.copy(), nn.Dropout(0.5))


class Detached(nn.Sequential):
    def forward(self, x):
        return super().forward(x.detach()) + 0 * x.sum()


class Blind(Fp16):
    """Cuts the gradient."""

    def __call__(self, network):
        return Detached(super().__call__(network))


class Clumsy(Fp16):
    """Reaches into a session and breaks."""

    def __call__(self, network):
        if network.finished:
            raise AttributeError("parameters")
        return super().__call__(network)


#: Check → a noise that it must not let pass.
WRONG = {
    "check_says_where_it_stands": Astray,
    "check_changes_the_logits": Idle,
    "check_leaves_the_network_alone": InPlace,
    "check_same_call_same_logits": Noisy,
    "check_can_be_attacked": Blind,
    "check_takes_or_refuses_a_finished_session": Clumsy,
}


@pytest.mark.parametrize("check", [check_says_where_it_stands, *REWRITES], ids=lambda check: check.__name__)
def test_check_finds_a_wrong_noise(check):
    try:
        with pytest.raises((AssertionError, AttributeError)):
            check(WRONG[check.__name__])
    finally:
        networks.cache_clear()
