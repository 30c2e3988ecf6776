"""Every defense through the checks of ``contract_defenses``, and a wrong one for each check."""

import pytest
import torch
from contract_defenses import CHECKS

from bitproof.defenses import DEFENSES

Jpeg, BitDepth = DEFENSES.load("jpeg"), DEFENSES.load("bit-depth")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", DEFENSES._own)
def test_defense(name, check):
    check(DEFENSES.load(name))


class Silent(Jpeg):
    """Says nothing of where it comes from."""


class Anywhere(Jpeg):
    """Source: none. Differs from the paper: nothing."""

    def __post_init__(self):
        pass


class Dice(BitDepth):
    def __call__(self, x, label, seed):
        return (super().__call__(x, label, seed) + 0.1 * torch.rand(())).clamp(0, 1)


class Overflowing(BitDepth):
    def __call__(self, x, label, seed):
        return 2 * super().__call__(x, label, seed)


class Secretive(BitDepth):
    draws = True


class Telling(BitDepth):
    def __call__(self, x, label, seed):
        return x * (0.5 + 0.1 * label)


class Averaging(BitDepth):
    def __call__(self, x, label, seed):
        return x - x.mean(dim=0) + 0.5


class Flat(BitDepth):
    def __call__(self, x, label, seed):
        return super().__call__(x, label, seed).detach() + 0 * x


class Drawing(BitDepth):
    def fit(self, victims, batches):
        torch.rand(3)
        return self


WRONG = {
    "check_says_what_it_is": [Silent],
    "check_stands_before_or_after": [Anywhere],
    "check_same_fit_same_shield": [Dice],
    "check_stays_in_the_bounds_and_leaves_its_input_alone": [Overflowing],
    "check_tells_whether_it_draws_and_what_it_shows": [Secretive, Telling],
    "check_batches_change_nothing": [Averaging],
    "check_carries_a_gradient": [Flat],
    "check_leaves_networks_and_generators_alone": [Drawing],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_finds_a_wrong_defense(check):
    for wrong in WRONG[check.__name__]:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)
