"""What bench does for one kind of input: one table, and what an entry of it has to say.

A grid is of one kind. Plan and runner ask its entry whatever depends on the kind: which models fit, what a noise means for them,
what it will cost, and how a cell becomes rows. Entries are named by text, since they know the plan and the plan must not know them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bitproof.bench.device import device_named
from bitproof.core import Registry, SampleRow, SpecError
from bitproof.tasks import Task

if TYPE_CHECKING:
    import torch

    from bitproof.bench.ahead import Times
    from bitproof.bench.ids import Cell, Variant
    from bitproof.bench.plan import Plan
    from bitproof.results import Store

#: Kind of task → what bench does for it.
KINDS = Registry(
    "kind",
    {
        "image": "bitproof.bench.networks:NetworkKind",
        "text": "bitproof.bench.networks:NetworkKind",
        "keyword": "bitproof.bench.networks:NetworkKind",
        "points": "bitproof.bench.networks:NetworkKind",
        "vqa": "bitproof.bench.endpoints:EndpointKind",
    },
)

#: Told of a variant, the further share of its making that is done, and what is being done.
Tell = Callable[["Variant", float, str], None]


@dataclass(frozen=True)
class Price:
    """What an attack asks of a network for a sample that stands to the end, and how long all its cells take.

    ``time_s`` with as many samples standing as under a short attack on the float network, ``most_s`` if all do.
    """

    model: str
    noise: str
    forwards: int
    gradients: int
    time_s: float
    most_s: float


@dataclass(frozen=True)
class Search:
    """Ranges that a recipe chooses by the network's loss: each among so many choices, in so many rounds, and how long at most."""

    model: str
    recipe: str
    choices: int
    rounds: int
    time_s: float


@dataclass(frozen=True)
class OnDevice:
    """What is computed where networks run, in seconds or operations: for trainings, and for cells with the fits of defenses."""

    trainings: float
    cells: float

    @property
    def total(self) -> float:
        """Both."""
        return self.trainings + self.cells

    def along(self, processes: int) -> float:
        """What passes while ``processes`` share the trainings, and the first one has the cells alone."""
        return self.trainings / processes + self.cells


@dataclass(frozen=True)
class Prediction:
    """What a plan asks for: numbers of variants, trainings, cells, rows and fits; seconds; bytes on disk; attacks, and searches.

    ``requests`` to servers, ``tokens`` of them roughly, and ``money`` by the prices that were given. ``work_s``: of the seconds
    those on ``device``, a kind of torch's, if one process trains, where the grid says ``processes``; ``work_flop``: the
    operations of the same, where it takes long on a CPU.
    """

    variants: int
    trainings: int
    cells: int
    rows: int
    variants_s: float
    cells_s: float
    disk_bytes: int
    attacks: tuple[Price, ...] = ()
    searches: tuple[Search, ...] = ()
    fits: int = 0
    requests: int = 0
    tokens: int = 0
    money: float = 0.0
    device: str = "cpu"
    processes: int = 1
    work_s: OnDevice | None = None
    work_flop: OnDevice | None = None


class Costs(Protocol):
    """The predicted seconds of a plan's parts on this machine."""

    def cell_s(self, cell: Cell) -> float:
        """Seconds of a cell, its pictures apart."""

    def pictures_s(self, cells: Any) -> float:
        """Seconds of the pictures of ``cells``."""

    def variant_s(self, variant: Variant) -> float:
        """Seconds to make a variant."""


class Evaluator(AbstractContextManager["Evaluator"], Protocol):
    """Turns the cells of one plan into rows; entered once, for all of them."""

    def made(self, variant: Variant) -> bool:
        """Whether nothing has to be made before the variant's cells."""

    def rows(self, cell: Cell, then: Cell | None, times: Times, advance: Callable[[int], None]) -> list[SampleRow]:
        """Return the rows of ``cell``; ``then`` is the next one. ``advance`` is told how many samples are done."""

    def finish(self) -> None:
        """Called when all cells were tried: what is left to store."""


@runtime_checkable
class Divisible(Evaluator, Protocol):
    """An evaluator whose work can be done in parts, by several of its like elsewhere."""

    def make(self, variant: Variant) -> None:
        """Make the variant where it is not made."""

    def piece(self, cell: Cell, first: int, last: int, times: Times) -> list[SampleRow]:
        """Return the rows of its samples from ``first``, where a batch begins, to before ``last``, where one ends."""


class Kind(Protocol):
    """What bench does for the tasks of one kind."""

    def check(self, plan: Plan) -> None:
        """Raise SpecError, DataError or ModelError for models, data and recipes that do not fit."""

    def misfit(self, part: str, task: Any, model: Any) -> str | None:
        """Why a family leaves the noise ``part`` out, or None."""

    def check_noise(self, spec: str, model: Any) -> None:
        """Raise SpecError where the cell ``spec`` needs what ``model`` lacks."""

    def pace(self, plan: Plan) -> tuple[int, int]:
        """Batch size and threads, as far as numbers depend on them: they are in every cell's id."""

    def costs(self, plan: Plan) -> Costs:
        """What the parts of ``plan`` cost."""

    def predict(self, plan: Plan, before: Collection[str], device: torch.device) -> Prediction:
        """What all of ``plan`` costs, networks run on ``device``, but variants and cells whose ids are in ``before``."""

    def evaluator(self, plan: Plan, store: Store, tell: Tell, device: torch.device) -> Evaluator:
        """What runs the cells of ``plan``; networks run on ``device``."""


def kind_of(tasks: Mapping[str, Task]) -> Kind:
    """Return the one kind of ``tasks``. Raises SpecError where they are of several."""
    kinds = {task.kind: spec for spec, task in tasks.items()}
    if len(kinds) > 1:
        told = ", ".join(f"{spec!r} is {kind}" for kind, spec in kinds.items())
        raise SpecError(f"A grid has tasks of one kind: {told}. Give each a grid of its own (after a line '---').")
    kind: Kind = KINDS.load(next(iter(kinds)))()
    return kind


def predict(plan: Plan, before: Collection[str] = (), device: str = "cpu") -> Prediction:
    """Predict time, disk and requests of ``plan`` on this machine, where nothing else runs and networks run on ``device``.

    ``before``: ids of variants and cells that other plans of the same run make.
    """
    return plan.kind.predict(plan, before, device_named(device))
