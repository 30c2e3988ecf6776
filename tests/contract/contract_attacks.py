"""What every attack promises, on a victim so small and exact (float64) that a batch's size moves nothing but the last digits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from contract_entries import pickled
from torch import Tensor, nn

from bitproof.core import SITES, Attacked, Comparing, Gradient, ShapeError, SpecError
from bitproof.models import TorchVictim
from bitproof.noises import noise

#: Norm → length of one sample's change.
LENGTHS: dict[str, Callable[[Tensor], Tensor]] = {
    "linf": lambda delta: delta.abs().amax(dim=1),
    "l2": lambda delta: delta.norm(dim=1),
    "l1": lambda delta: delta.abs().sum(dim=1),
}

#: Norm → budgets that fool some samples of the victim, and not all.
BUDGETS = {"linf": (0.02, 0.1), "l2": (0.1, 0.6), "l1": (0.5, 3.0)}

#: Settings that make an attack short, where it has them.
FEW = {"steps": 3, "queries": 30}

N = 10
SEEDS = tuple(100 + i * i for i in range(N))


@dataclass(frozen=True)
class Method:
    """An attack's class and the name that it is registered by, which ends in its norm."""

    name: str
    cls: type

    @property
    def norm(self) -> str:
        return self.name.rpartition("-")[2]

    def attacks(self) -> Iterator[Any]:
        """The attack at its budgets; where it has steps, few."""
        for eps in BUDGETS[self.norm]:
            yield self.at(eps)

    def at(self, eps: float, **settings: Any) -> Any:
        few = {word: count for word, count in FEW.items() if word in self.cls.__dataclass_fields__}
        return self.cls(eps=eps, **few, **settings)


def victim(differentiable: bool = True) -> TorchVictim:
    """3×4×4 → 4 classes: a matrix, a bend, a matrix."""
    draws = torch.Generator().manual_seed(3)
    with torch.random.fork_rng():
        net = nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, 4)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws, dtype=torch.float64) * 0.4)
    return TorchVictim(net.eval(), differentiable)


def batch() -> tuple[Tensor, Tensor]:
    """Pictures with values on the bounds, all but the last with the class that the victim gives them."""
    x = torch.rand(N, 3, 4, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    x = (1.4 * x - 0.2).clamp(0, 1)
    y = victim().decide(x)
    y[-1] = (y[-1] + 1) % 4
    return x, y


def ready(attack: Any) -> Any:
    """The attack with the other networks that it needs, here the victim itself."""
    return attack.given(dict.fromkeys(attack.others, victim()), noise) if isinstance(attack, Comparing) else attack


def run(attack: Any, rows: slice = slice(None)) -> Attacked:
    x, y = batch()
    attacked: Attacked = ready(attack)(victim(), x[rows], y[rows], SEEDS[rows])
    return attacked


def check_says_where_it_stands(method: Method) -> None:
    assert (method.cls.site, method.cls.family) == ("tensor", "adversarial")
    assert set(method.cls.kinds) <= set(SITES) and method.cls.kinds
    assert isinstance(method.cls.needs_gradient, bool)
    assert all(str(Gradient.parse(attack.grad)) == attack.grad for attack in method.attacks())
    assert method.norm in LENGTHS


def check_stays_in_the_ball(method: Method) -> None:
    for attack in method.attacks():
        delta = (run(attack).x - batch()[0]).flatten(1)
        assert float(LENGTHS[method.norm](delta).max()) <= attack.eps * (1 + 1e-6)


def check_stays_in_the_bounds(method: Method) -> None:
    for attack in method.attacks():
        x = run(attack).x
        assert x.isfinite().all() and 0 <= float(x.min()) and float(x.max()) <= 1


def check_uses_the_budget(method: Method) -> None:
    """Something moves, and a larger budget moves it further."""
    small, large = (float((run(attack).x - batch()[0]).abs().sum()) for attack in method.attacks())
    assert 0 < small < large


def check_what_it_was_given_is_left_alone(method: Method) -> None:
    for attack in method.attacks():
        (x, y), target = batch(), victim()
        weights = [p.clone() for p in target.module.parameters()]
        attacked = ready(attack)(target, x, y, SEEDS)
        assert torch.equal(x, batch()[0]) and torch.equal(y, batch()[1])
        assert attacked.x.data_ptr() != x.data_ptr() and not attacked.x.requires_grad
        for before, parameter in zip(weights, target.module.parameters(), strict=True):
            assert torch.equal(before, parameter) and parameter.grad is None


def check_same_seeds_same_result_in_any_batch(method: Method) -> None:
    for attack in method.attacks():
        whole, again = run(attack), run(attack)
        assert torch.equal(whole.x, again.x)
        for pieces in ([slice(0, 1), slice(1, 4), slice(4, N)], [slice(i, i + 1) for i in range(N)]):
            parts = [run(attack, rows) for rows in pieces]
            torch.testing.assert_close(torch.cat([part.x for part in parts]), whole.x, rtol=0, atol=1e-9)
            for column in ("success", "queries", "gradients"):
                assert torch.equal(torch.cat([getattr(part, column) for part in parts]), getattr(whole, column)), column


def check_no_global_draw(method: Method) -> None:
    for attack in method.attacks():
        state = torch.random.get_rng_state()
        first = run(attack)
        assert torch.equal(torch.random.get_rng_state(), state)
        with torch.random.fork_rng():
            torch.manual_seed(8)
            assert torch.equal(run(attack).x, first.x)


def check_tells_the_truth(method: Method) -> None:
    """Success is what the victim decides; a sample that was wrong to begin with is one, at its own place."""
    for attack in method.attacks():
        attacked, (x, y) = run(attack), batch()
        assert attacked.success.dtype == torch.bool
        assert torch.equal(attacked.success, victim().decide(attacked.x) != y)
        assert attacked.success[-1] and torch.equal(attacked.x[-1], x[-1])


def check_counts_its_work(method: Method) -> None:
    for attack in method.attacks():
        attacked = run(attack)
        for count in (attacked.queries, attacked.gradients):
            assert count.shape == (N,) and not count.is_floating_point() and int(count.min()) >= 0
        assert int(attacked.queries.min()) >= 1
        assert bool(attacked.gradients.any()) == method.cls.needs_gradient


def check_no_budget_no_change(method: Method) -> None:
    attacked = run(method.at(0.0))
    assert torch.equal(attacked.x, batch()[0])
    assert attacked.success.tolist() == [False] * (N - 1) + [True]


def check_says_whether_it_needs_a_gradient(method: Method) -> None:
    for attack in method.attacks():
        x, y = batch()
        if method.cls.needs_gradient:
            with pytest.raises(SpecError, match="gradient"):
                ready(attack)(victim(differentiable=False), x, y, SEEDS)
        else:
            assert torch.equal(ready(attack)(victim(differentiable=False), x, y, SEEDS).x, run(attack).x)


def check_impossible_budgets_are_refused(method: Method) -> None:
    for eps in (-0.1, float("inf"), float("nan")):
        with pytest.raises(SpecError, match="eps"):
            method.at(eps)


def check_impossible_inputs_are_refused(method: Method) -> None:
    x, y = batch()
    attack = next(method.attacks())
    flat = x.flatten(1) if attack.kinds == ("image",) else x.flatten()  # sound and text have other shapes
    for wrong in ((x + 1, y, SEEDS), (flat, y, SEEDS), (x, y[1:], SEEDS), (x, y, SEEDS[1:]), ((x * 255).byte(), y, SEEDS)):
        with pytest.raises(ShapeError):
            ready(attack)(victim(), *wrong)


def check_an_empty_batch_is_no_work(method: Method) -> None:
    attacked = run(next(method.attacks()), slice(0, 0))
    assert attacked.x.shape == (0, 3, 4, 4) and len(attacked.success) == len(attacked.queries) == len(attacked.gradients) == 0


def check_pickled_it_is_the_same(method: Method) -> None:
    for attack in method.attacks():
        assert torch.equal(run(pickled(attack)).x, run(attack).x)


CHECKS: list[Callable[[Method], None]] = [
    check_says_where_it_stands,
    check_stays_in_the_ball,
    check_stays_in_the_bounds,
    check_uses_the_budget,
    check_what_it_was_given_is_left_alone,
    check_same_seeds_same_result_in_any_batch,
    check_no_global_draw,
    check_tells_the_truth,
    check_counts_its_work,
    check_no_budget_no_change,
    check_says_whether_it_needs_a_gradient,
    check_impossible_budgets_are_refused,
    check_impossible_inputs_are_refused,
    check_an_empty_batch_is_no_work,
    check_pickled_it_is_the_same,
]
