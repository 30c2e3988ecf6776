"""What every noise at the site ``model`` promises. A check takes the registered class; those that are deployed need an engine."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from contract_entries import pickled
from torch import Tensor, nn

from bitproof.convert import Rewriter, quantize
from bitproof.core import SITES, ModelError
from bitproof.models import TorchVictim, wrap

Check = Callable[[Any], None]

#: What a noise cannot do without, where it has no default.
SETTINGS = {"Norm": {"like": "half"}}


def pictures(n: int = 4) -> Tensor:
    return torch.rand(n, 3, 18, 18, generator=torch.Generator().manual_seed(0))


def build() -> nn.Module:
    """A network with all that a rewrite may look for; its pool meets an odd side, so ceil and floor differ."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Upsample(scale_factor=2)]
        head = [nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
        return nn.Sequential(*body, *head)


@cache
def networks() -> tuple[nn.Module, nn.Module]:
    """In float and at 4 bits."""
    network = wrap(build(), size=18, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)).module
    return network, quantize(network, "mse:w4a4", [pictures(8)]).model


def made(noise: Any) -> Any:
    return noise(**SETTINGS.get(noise.__name__, {}))


def rewritten(noise: Any, network: nn.Module) -> nn.Module:
    changed: nn.Module = made(noise)(Rewriter(network, pictures()))
    return changed


def check_says_where_it_stands(noise: Any) -> None:
    assert noise.site == "model" and noise.family in ("system", "field") and noise.needs in ("rewrite", "deploy")
    assert noise.kinds and all("model" in SITES[kind] for kind in noise.kinds)


def check_changes_the_logits(noise: Any) -> None:
    for network in networks():
        logits = rewritten(noise, network)(pictures()).detach()
        assert logits.dtype == torch.float32 and logits.shape == (4, 5) and logits.isfinite().all()
        assert not torch.equal(logits, network(pictures()).detach())


def check_leaves_the_network_alone(noise: Any) -> None:
    for network in networks():
        state = {key: value.clone() for key, value in network.state_dict().items()}
        logits = network(pictures()).detach()
        with torch.no_grad():
            rewritten(noise, network)(pictures())
        assert all(
            torch.equal(value, state[key]) and value.dtype == state[key].dtype for key, value in network.state_dict().items()
        )
        assert torch.equal(network(pictures()).detach(), logits)


def check_same_call_same_logits(noise: Any) -> None:
    for network in networks():
        one, other = rewritten(noise, network), pickled(rewritten(noise, network))
        assert torch.equal(one(pictures()), one(pictures())) and torch.equal(one(pictures()), other(pictures()))


def check_can_be_attacked(noise: Any) -> None:
    """Quantizers inside still hear the gradient mode, and the gradient reaches the picture."""
    for network in networks():
        victim, x = TorchVictim(rewritten(noise, network)), pictures().requires_grad_()
        victim.loss(x, torch.zeros(4, dtype=torch.long)).sum().backward()
        assert x.grad is not None and x.grad.dtype == torch.float32 and x.grad.isfinite().all()
        clipped = network is networks()[1]  # what lies outside a quantizer's range has no gradient by its own rule
        assert clipped or x.grad.abs().sum() > 0


def check_takes_or_refuses_a_finished_session(noise: Any) -> None:
    """Never an error of another kind: what only changes the input can be carried out, what changes the inside cannot."""
    network = networks()[0]
    try:
        logits = made(noise)(Rewriter(network, pictures(), finished=True))(pictures()).detach()
    except ModelError as error:
        assert "session" in str(error)
        return
    assert torch.equal(logits, rewritten(noise, network)(pictures()).detach())


REWRITES: list[Check] = [
    check_changes_the_logits,
    check_leaves_the_network_alone,
    check_same_call_same_logits,
    check_can_be_attacked,
    check_takes_or_refuses_a_finished_session,
]
