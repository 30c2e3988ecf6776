"""Every attack through the checks of ``contract_attacks``, and a wrong attack for each check."""

from dataclasses import dataclass, replace

import pytest
import torch
from contract_attacks import CHECKS, Method

from bitproof.noises import ATTACKS

Pgd, Noise = ATTACKS.load("pgd-linf"), ATTACKS.load("noise-linf")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [name for name in ATTACKS._own if "image" in ATTACKS.load(name).kinds])
def test_attack(name, check):
    check(Method(name, ATTACKS.load(name)))


class Astray(Pgd):
    """Stands among the corruptions."""

    site = "image"


class Greedy(Pgd):
    """Takes a little more than it was allowed."""

    def place(self, clean, delta, bounds):
        return (clean + 1.01 * self.norm.project(delta, self.eps)).clamp(*bounds)


class Unbounded(Pgd):
    """Leaves the range of pictures."""

    def place(self, clean, delta, bounds):
        return clean + self.norm.project(delta, self.eps)


class Shy(Pgd):
    """Does nothing."""

    def place(self, clean, delta, bounds):
        return clean


class InPlace(Pgd):
    """Writes its result into the batch."""

    def __call__(self, victim, x, y, seeds):
        attacked = super().__call__(victim, x, y, seeds)
        x.copy_(attacked.x)
        return attacked


class Littering(Pgd):
    """Leaves gradients in the network."""

    def __call__(self, victim, x, y, seeds):
        victim.module(x).sum().backward()
        return super().__call__(victim, x, y, seeds)


class Crowded(Noise):
    """Draws from the batch's first seed."""

    def __call__(self, victim, x, y, seeds):
        return super().__call__(victim, x, y, [seeds[0] + i for i in range(len(x))] if len(x) else seeds)


class Crooked(Pgd):
    """Normalises over the batch."""

    def accumulate(self, velocity, gradient):
        return gradient - gradient.mean()


class Global(Pgd):
    """Draws from torch's global generator."""

    def accumulate(self, velocity, gradient):
        return gradient * torch.randint(0, 2, gradient.shape)


class Boasting(Pgd):
    """Always claims to have succeeded."""

    def __call__(self, victim, x, y, seeds):
        attacked = super().__call__(victim, x, y, seeds)
        return replace(attacked, success=torch.ones(len(x), dtype=torch.bool))


class Uncounted(Pgd):
    """Does not say what it cost."""

    def __call__(self, victim, x, y, seeds):
        attacked = super().__call__(victim, x, y, seeds)
        return replace(attacked, queries=torch.zeros(len(x), dtype=torch.long))


class Restless(Pgd):
    """Moves without a budget."""

    def place(self, clean, delta, bounds):
        return (clean + delta.sign() * max(self.eps, 1e-3)).clamp(*bounds)

    @property
    def step_size(self):
        return 1e-2


class Pretending(Noise):
    """Says that it needs a gradient, and takes none."""

    needs_gradient = True

    def __call__(self, victim, x, y, seeds):
        return Noise(self.eps, self.draws)(victim, x, y, seeds)


@dataclass(frozen=True)
class Boundless(Pgd):
    """Takes any budget."""

    def __post_init__(self):
        pass


class Obliging(Pgd):
    """Brings the input into its bounds by itself."""

    def __call__(self, victim, x, y, seeds):
        return super().__call__(victim, x.clamp(0, 1), y, seeds)


class Peeking(Pgd):
    """Looks at the first sample."""

    def __call__(self, victim, x, y, seeds):
        assert x[:1].numel(), "the batch is empty"
        return super().__call__(victim, x, y, seeds)


class Lossy(Pgd):
    """Leaves its settings behind when it is pickled."""

    def __reduce__(self):
        return Lossy, (0.05,)


#: Check → attacks that it must not let pass.
WRONG = {
    "check_says_where_it_stands": [Astray],
    "check_stays_in_the_ball": [Greedy],
    "check_stays_in_the_bounds": [Unbounded],
    "check_uses_the_budget": [Shy],
    "check_what_it_was_given_is_left_alone": [InPlace, Littering],
    "check_same_seeds_same_result_in_any_batch": [Crowded, Crooked],
    "check_no_global_draw": [Global],
    "check_tells_the_truth": [Boasting],
    "check_counts_its_work": [Uncounted],
    "check_no_budget_no_change": [Restless],
    "check_says_whether_it_needs_a_gradient": [Pretending],
    "check_impossible_budgets_are_refused": [Boundless],
    "check_impossible_inputs_are_refused": [Obliging],
    "check_an_empty_batch_is_no_work": [Peeking],
    "check_pickled_it_is_the_same": [Lossy],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_finds_a_wrong_attack(check):
    for wrong in WRONG[check.__name__]:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(Method("wrong-linf", wrong))
