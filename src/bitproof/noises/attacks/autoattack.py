"""AutoAttack: four attacks one after the other, each on what the ones before left standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bitproof.noises.attacks.apgd import ApgdCe, ApgdCeL1, ApgdCeL2, ApgdCeLinf, ApgdT, ApgdTL1, ApgdTL2, ApgdTLinf
from bitproof.noises.attacks.fab import FabT, FabTL1, FabTL2, FabTLinf
from bitproof.noises.attacks.norms import L1, L2, Linf
from bitproof.noises.attacks.search import Attempt, Bill, Search
from bitproof.noises.attacks.square import Square, SquareL1, SquareL2, SquareLinf


@dataclass(frozen=True)
class AutoAttack(Search):
    """The ``standard`` version; with other numbers of steps or queries it is a weaker or stronger relative of it.

    Args:
        eps: radius of the ball, for inputs in [0, 1].
        steps: gradient steps of each run of APGD and FAB.
        queries: what Square asks of each sample.
        grad: gradient mode of the first three.
    Raises SpecError for other values, and for a network of fewer than 4 classes.
    """

    eps: float
    steps: int = 100
    queries: int = 5000
    grad: str = "ste"

    ce: ClassVar[type[ApgdCe]]
    towards: ClassVar[type[ApgdT]]
    fab: ClassVar[type[FabT]]
    square: ClassVar[type[Square]]
    #: Runs of APGD-CE, and classes that APGD-T is run towards.
    starts: ClassVar[int] = 1
    targets: ClassVar[int] = 9
    long: ClassVar[bool] = True
    source: ClassVar[str] = "arXiv 2003.01690"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.members()  # their checks are its checks

    def members(self) -> tuple[Search, ...]:
        """The four attacks."""
        eps, steps, grad = self.eps, self.steps, self.grad
        return (
            self.ce(eps, steps, restarts=self.starts, grad=grad),
            self.towards(eps, steps, grad=grad, targets=self.targets),
            self.fab(eps, steps, grad=grad),
            self.square(eps, self.queries),
        )

    def bill(self, classes: int) -> Bill:
        """The sum over the members."""
        bills = [member.bill(classes) for member in self.members()]
        return Bill(sum(bill.queries for bill in bills), sum(bill.gradients for bill in bills))

    def search(self, attempt: Attempt, seeds: Sequence[int]) -> None:
        """Run the members until nothing stands."""
        for member in self.members():
            if attempt.fooled.all():
                return
            member.search(attempt, seeds)


class AutoAttackLinf(AutoAttack):
    """AutoAttack in ℓ∞, standard: APGD-CE, APGD-T and FAB-T towards 9 classes, Square with 5000 queries.

    About 7,900 forwards and 1,900 gradients of a sample that stands to the end. N×3×H×W → N×3×H×W

    Source: 2003.01690 §6; constants of fra31/auto-attack. Differs from the paper: see its members.
    """

    norm: ClassVar[Linf] = Linf()
    ce, towards, fab, square = ApgdCeLinf, ApgdTLinf, FabTLinf, SquareLinf


class AutoAttackL2(AutoAttack):
    """AutoAttack in ℓ2, standard: APGD-CE, APGD-T and FAB-T towards 9 classes, Square with 5000 queries.

    About 7,900 forwards and 1,900 gradients of a sample that stands to the end. N×3×H×W → N×3×H×W

    Source: 2003.01690 §6; constants of fra31/auto-attack. Differs from the paper: see its members.
    """

    norm: ClassVar[L2] = L2()
    ce, towards, fab, square = ApgdCeL2, ApgdTL2, FabTL2, SquareL2


class AutoAttackL1(AutoAttack):
    """AutoAttack in ℓ1, standard: APGD-CE with 5 starts, APGD-T towards 5 classes, FAB-T towards 9, Square with 5000 queries.

    About 7,900 forwards and 1,900 gradients of a sample that stands to the end. N×3×H×W → N×3×H×W

    Source: 2103.01208 §5; constants of fra31/auto-attack. Differs from the paper: see its members.
    """

    norm: ClassVar[L1] = L1()
    ce, towards, fab, square = ApgdCeL1, ApgdTL1, FabTL1, SquareL1
    starts = 5
    targets = 5
