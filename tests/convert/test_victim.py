"""A converted network under attack: the gradient modes that a victim sets."""

import pytest
import torch
from networks import Residual, lively, pictures

from bitproof.convert import quantize
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
    assert torch.equal(exact.logits(x), ste.logits(x)) and torch.equal(ste.logits(x), full.logits(x))
    assert (gradient(exact, x, y) == 0).all()
    assert (gradient(ste, x, y) != 0).any() and (gradient(full, x, y) != 0).any()
    wide = x + 3 * pictures(seed=4)  # far outside the ranges: the clip mask shows
    assert not torch.equal(gradient(ste, wide, y), gradient(full, wide, y))
