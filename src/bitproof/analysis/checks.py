"""The checklist of a masking audit: each check reads rows and says whether a figure can be believed.

The list is that of arXiv 1902.06705 §3 and 1802.00420 §3.1, with the control taken off where there is one: what an attack's
weakness does to every network is no property of low bits. The thresholds are bitproof's own; their reasons stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from bitproof.analysis import tallies
from bitproof.analysis.blocks import Block, Cells
from bitproof.analysis.budgets import Budget
from bitproof.analysis.estimates import EACH, EACH_SIGNED, Level, Tally, difference, level
from bitproof.analysis.intervals import wilson
from bitproof.analysis.roles import effort, scale_free, smooth, straight, wanted, without_effort

#: Points, beyond the control's own: below it a difference is what another run of the same training gives.
EXCESS = 2.0

#: Points, where there is no control to take off. Of 27 published defenses of CIFAR-10 the authors' own attacks, most of them PGD,
#: overstate 18 by up to 8.4 points against AutoAttack and 8 by 15 to 67, with one at 11.2 (README.md of fra31/auto-attack@0185c79,
#: from arXiv 2003.01690): 10 lies in the gap between the two.
ALONE = 10.0

#: % of the pictures that are right. A gradient that exists is not zero in each of thousands of values.
ZERO = 1.0

#: % of pictures. With a whole cube to move in, nothing that depends on its input stands.
LEFT = 1.0

#: Points that more steps may still take away before an attack counts as not finished.
FALLING = 2.0

#: Points of the upper end of a gap's interval: from here on it could hide what ``ALONE`` calls masking.
WIDE = ALONE

#: Margin in nats from which float32 rounds the label's probability to 1, ln 2²⁴, so that the cross-entropy loses its term.
SATURATED = 16.6

#: The states of a check, and what they do to a verdict.
OK, FAILED, MISSING = "ok", "failed", "missing"


@dataclass(frozen=True)
class Check:
    """The answer to one question: its state, a sentence, and what to run for an answer."""

    name: str
    state: str
    said: str
    next: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One recipe in one ball.

    ``columns``: its attacks by role; ``unbounded``: those with room for everything; ``control``: None for the control itself, and
    where the control's own figure is masked, so that there is nothing to take off.
    """

    block: Block
    recipe: str
    ball: Budget
    columns: dict[str, list[int]]
    unbounded: list[int]
    control: Cells | None
    evidence: pl.DataFrame = field(repr=False)

    @property
    def cells(self) -> Cells:
        """The outcomes of the recipe."""
        return self.block.recipes[self.recipe]

    @property
    def all(self) -> list[int]:
        """All columns in the ball."""
        return [i for columns in self.columns.values() for i in columns]

    def noise(self, column: int) -> str:
        """The spec of a column."""
        return self.block.noises[column].noise

    @property
    def reference(self) -> int | None:
        """The column of PGD through the straight-through estimator, the one of most effort."""
        return max(self.straight, key=lambda i: effort(self.noise(i)), default=None)

    @property
    def straight(self) -> list[int]:
        """Columns of PGD on the cross-entropy through the straight-through estimator."""
        return [i for i in self.columns.get("white", []) if straight(self.noise(i))]

    @property
    def fallen(self) -> bool:
        """Whether the plain gradient attack leaves nothing, so that there is nothing that a hidden gradient could pretend."""
        columns = [self.reference] if self.reference is not None else self.columns.get("white", [])
        return bool(columns) and bool((100 * tallies.union(tallies.hits(self.cells, columns)).ratio() <= LEFT).all())

    def compared(self, columns: Sequence[int]) -> Cells | None:
        """The control, where it met all of ``columns``."""
        there = self.control is not None and self.control.seen[:, list(columns)].any(axis=(0, 2)).all()
        return self.control if there else None

    def missing(self, name: str, said: str) -> Check:
        """A check that cannot be answered yet."""
        return Check(name, MISSING, said, wanted(self.ball).get(name, ()))


def fallen(cells: Cells, before: Sequence[int], after: Sequence[int]) -> Tally:
    """Samples that stand under all of ``before`` and fall under one of ``after``."""
    stand, hold = (tallies.union(tallies.hits(cells, columns)) for columns in (before, after))
    return Tally(stand.hit & ~hold.hit, stand.seen & hold.seen)


def excess(case: Case, before: Sequence[int], after: Sequence[int]) -> tuple[Level, float, str]:
    """Share of samples that only ``after`` fools, beyond the control's where that met the same; its limit; and words for it."""
    ours, control = fallen(case.cells, before, after), case.compared([*before, *after])
    if control is None:
        return level(ours, EACH, case.block.bootstrap), ALONE, ""
    found = difference(ours, fallen(control, before, after), EACH_SIGNED, case.block.bootstrap)
    return found, EXCESS, f", beyond {case.block.control}'s own"


def gap(case: Case) -> Check:
    """PGD through the straight-through estimator against the worst case of all attacks and modes."""
    reference = case.reference
    if reference is None:
        return case.missing("gap", "PGD through the straight-through estimator was not run")
    found, limit, than = excess(case, [reference], case.all)
    said = f"STE-PGD leaves {points(found)} points standing that another attack fools{than}"
    if found.low.item() > limit:
        return Check("gap", FAILED, said)
    if found.high.item() > WIDE:
        return Check("gap", MISSING, f"{said}: too wide an interval at n = {found.n.item()}, raise limit.adversarial")
    return Check("gap", OK, said)


def zero(case: Case) -> Check:
    """Input gradients that are zero where the attacks look."""
    told = case.evidence.filter("correct")
    if told.is_empty():
        what = "with a picture that is right" if case.evidence.height else "was run"
        return Check("zero", MISSING, f"no evidence cell {what}", ("evidence",))
    none, n = int((told["zero_ste"] & told["zero_exact"]).sum()), told.height
    low, _ = wilson(none, n)
    said = f"the gradient is zero for {100 * none / n:.1f} % of {n} pictures that are right"
    return Check("zero", FAILED if low.item() > ZERO else OK, said)


def loss(case: Case) -> Check:
    """Logits so large that the cross-entropy falls silent."""
    ran = any(scale_free(case.noise(i)) for i in case.all)
    told = case.evidence.filter("correct")
    share = 100 * (told["margin"].to_numpy() > SATURATED).mean() if told.height else None
    said = "no evidence of the margins" if share is None else f"{float(share):.1f} % of the margins saturate float32's softmax"
    return Check("loss", OK, said) if ran else case.missing("loss", f"{said}, and no attack had a loss without scale")


def modes(case: Case) -> Check:
    """A gradient without clip mask or through a smooth staircase, where the network rounds."""
    rounds = case.evidence["zero_exact"].mean() if case.evidence.height else float(case.recipe != case.block.control)
    if not rounds:
        return Check("modes", OK, "all gradient modes are one: the network does not round")
    ran = sorted({str(case.cells.gradient[i]) for i in case.all if smooth(case.noise(i), case.cells.gradient[i])})
    if ran:
        return Check("modes", OK, f"gradient modes beside ste: {', '.join(ran)}")
    return case.missing("modes", "no gradient mode without a clip mask was tried")


def unbounded(case: Case) -> Check:
    """The accuracy at the largest budget."""
    if not case.unbounded:
        return case.missing("unbounded", "no attack had room for every picture")
    left = level(tallies.union(tallies.hits(case.cells, case.unbounded)), EACH, case.block.bootstrap)
    said = f"{left.value.item():.1f} % of the pictures stand though every value may change freely"
    return Check("unbounded", FAILED if left.low.item() > LEFT else OK, said)


def black_box(case: Case) -> Check:
    """Attacks without a gradient that find what gradients did not."""
    return _beats(case, "black_box", "black", "black-box attacks fool")


def transfer(case: Case) -> Check:
    """Inputs made on other networks that find what the network's own gradient did not."""
    if case.recipe == case.block.control and not case.columns.get("transfer"):
        return Check("transfer", OK, "the control is its own source")
    return _beats(case, "transfer", "transfer", "transferred inputs fool")


def _beats(case: Case, name: str, other: str, words: str) -> Check:
    white, others = case.columns.get("white", []), case.columns.get(other, [])
    if not white or not others:
        return case.missing(name, f"nothing tells whether {words} what gradients do not")
    found, limit, than = excess(case, white, others)
    said = f"{words} {points(found)} points of the pictures that every gradient attack left{than}"
    return Check(name, FAILED if found.low.item() > limit else OK, said)


def steps(case: Case) -> Check:
    """More steps or restarts of the same attack."""
    pairs = _ladder(case)
    if pairs is None:
        return case.missing("steps", "PGD was run with one number of steps alone")
    fewer, more = pairs
    lost = difference(tallies.hits(case.cells, [fewer]), tallies.hits(case.cells, [more]), EACH_SIGNED, case.block.bootstrap)
    said = f"{effort(case.noise(more))} steps in place of {effort(case.noise(fewer))} take {points(lost)} points more"
    if lost.high.item() < 0:
        return Check("steps", FAILED, f"{said}: more work finds less")
    if lost.low.item() > FALLING:
        again = f"{without_effort(case.noise(more))},steps={4 * effort(case.noise(more))}"
        return Check("steps", MISSING, f"{said}: the attack was not finished", (again,))
    return Check("steps", OK, said)


def _ladder(case: Case) -> tuple[int, int] | None:
    """The two columns of most effort that differ in effort alone."""
    ordered = sorted(case.straight, key=lambda i: -effort(case.noise(i)))
    pairs = ((a, b) for i, b in enumerate(ordered) for a in ordered[i + 1 :] if effort(case.noise(a)) < effort(case.noise(b)))
    return next((pair for pair in pairs if len({without_effort(case.noise(i)) for i in pair}) == 1), None)


def points(found: Level) -> str:
    """``3.2 [1.0, 5.4]``."""
    return f"{found.value.item():.1f} [{found.low.item():.1f}, {found.high.item():.1f}]"


#: In the order in which they are told.
CHECKS: tuple[Callable[[Case], Check], ...] = (gap, zero, loss, modes, unbounded, black_box, transfer, steps)


def checked(case: Case) -> Iterator[Check]:
    """Put every question to ``case``."""
    return (check(case) for check in CHECKS)


def mean(values: pl.Series) -> float | None:
    """The mean of what is known, or None."""
    known = values.drop_nulls().to_numpy()
    return float(np.mean(known)) if len(known) else None
