"""What every door promises of the network behind it. A check takes a function that loads the network anew."""

from collections.abc import Callable

import pytest
import torch
from contract_entries import pickled
from torch import Tensor, nn

from bitproof.bench.inputs import inputs_of
from bitproof.core import Geometry, ModelError, Spec
from bitproof.models import Network, TorchVictim
from bitproof.noises import NOISES

Load = Callable[[], Network]


def pictures(network: Network, n: int = 2) -> Tensor:
    if not isinstance(network.form, Geometry):
        return inputs_of(network.form).probe(network.form)
    size = network.geometry.size
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def logits(network: Network) -> Tensor:
    out: Tensor = network.module(pictures(network))
    return out


def check_gives_a_logit_a_class(load: Load) -> None:
    network = load()
    assert logits(network).shape == (2, network.classes) and network.classes >= 2
    assert bool(logits(network).isfinite().all())


def check_loads_the_same_again(load: Load) -> None:
    """In any state of the global generator, and leaves that as it is."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = torch.random.get_rng_state()
        one = load()
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(2)
        other = load()
    assert torch.equal(logits(one), logits(other))
    assert (one.digest, one.spec, one.form) == (other.digest, other.spec, other.form)


def check_digest_tells_networks_apart(load: Load) -> None:
    network = load()
    assert len(network.digest) == 64 and int(network.digest, 16) >= 0


def check_is_ready_to_be_measured(load: Load) -> None:
    network = load()
    assert not any(module.training for module in network.module.modules())
    assert all(p.dtype == torch.float32 for p in network.module.parameters())
    one, two = pictures(network), pictures(network)
    network.module(one)
    assert torch.equal(one, two)


def check_names_a_clean_resize(load: Load) -> None:
    form = load().form
    site, word = {"image": ("resize", "interpolation"), "points": ("sample", "sample")}.get(form.kind, ("resample", "resample"))
    assert NOISES.load(getattr(form, word)).site == site


def check_spec_is_canonical(load: Load) -> None:
    spec = load().spec
    assert str(Spec.parse(spec)) == spec


def check_carries_a_gradient_or_says_so(load: Load) -> None:
    network = load()
    victim, x = TorchVictim(network.module, network.differentiable), pictures(network).requires_grad_()
    loss = victim.loss(x, torch.zeros(2, dtype=torch.long))
    assert loss.requires_grad == network.differentiable
    if network.differentiable:
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        assert bool(gradient.isfinite().all()) and bool(gradient.any())


def check_pickled_it_is_the_same(load: Load) -> None:
    network = load()
    again = pickled(network)
    assert torch.equal(logits(again), logits(network))
    assert (again.digest, again.spec, again.form, again.classes) == (
        *(network.digest, network.spec, network.form),
        network.classes,
    )


def check_can_be_made_low_bit(load: Load) -> None:
    """Where there is a torch module: it has layers that a recipe can take, by their own types."""
    network = load()
    if not network.finished:
        assert any(type(module) in (nn.Conv2d, nn.Linear) for module in network.module.modules())


def check_another_number_of_classes_is_refused(load: Callable[..., Network]) -> None:
    with pytest.raises(ModelError, match="classes"):
        load(classes=load().classes + 1)


CHECKS: list[Callable[[Load], None]] = [
    check_gives_a_logit_a_class,
    check_loads_the_same_again,
    check_digest_tells_networks_apart,
    check_is_ready_to_be_measured,
    check_names_a_clean_resize,
    check_spec_is_canonical,
    check_carries_a_gradient_or_says_so,
    check_pickled_it_is_the_same,
    check_can_be_made_low_bit,
    check_another_number_of_classes_is_refused,
]
