"""A converted network under attack: the gradient modes that a victim sets."""

import pytest
import torch
from networks import Residual, lively, pictures

from bitproof.convert import quantize
from bitproof.core import SpecError
from bitproof.models import TorchVictim


def gradient(victim, x, y):
    x = x.clone().requires_grad_()
    victim.loss(x, y).sum().backward()
    return x.grad


@pytest.mark.parametrize("recipe", ["mse:w4a4", "percentile:w4a4,per=tensor", "lsq:w4a4", "pact:w4a4", "dorefa:w4a4"])
def test_modes_move_the_gradient_and_not_the_output(recipe):
    x, y = pictures().sigmoid(), torch.tensor([0, 1, 2, 3])
    victim = TorchVictim(quantize(lively(Residual()), recipe, [x]).model)
    exact, ste, full = (victim.with_gradient(mode) for mode in ("exact", "ste", "ste-full"))
    soft, own = (victim.with_gradient(mode) for mode in ("soft", "bpda:decay"))
    assert torch.equal(exact.logits(x), ste.logits(x)) and torch.equal(ste.logits(x), full.logits(x))
    assert (gradient(exact, x, y) == 0).all()
    assert (gradient(ste, x, y) != 0).any() and (gradient(full, x, y) != 0).any()
    assert torch.equal(soft.logits(x), ste.logits(x)) and (gradient(soft, x, y) != 0).any() and (gradient(own, x, y) != 0).any()
    wide = x + 3 * pictures(seed=4)  # far outside the ranges: the clip mask shows
    assert not torch.equal(gradient(ste, wide, y), gradient(full, wide, y))


def test_a_backward_is_handed_to_every_rounding():
    x, y = pictures().sigmoid(), torch.tensor([0, 1, 2, 3])
    module, asked = quantize(lively(Residual()), "mse:w4a4", [x]).model, []

    def backward(g, x, s, lower, upper):
        asked.append((upper - lower, x.shape))
        return 2 * g

    plain, own = TorchVictim(module), TorchVictim(module, mode="bpda", backward=backward)
    assert gradient(own.with_gradient("bpda"), x, y).any() and len(asked) >= 3
    assert torch.equal(gradient(own.with_gradient("ste"), x, y), gradient(plain, x, y))
    with pytest.raises(SpecError, match="backward"):
        plain.with_gradient("bpda")
    with pytest.raises(SpecError, match="annealed"):
        plain.with_gradient("soft:2..0.1")
