"""The executor that needs nothing: cell after cell in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.bench.ahead import Times
from bitproof.bench.ids import Cell
from bitproof.bench.memory import Heap
from bitproof.bench.work import Work
from bitproof.core import StoreError


@dataclass(frozen=True)
class Local:
    """This process, cell after cell; pictures of the next one are made meanwhile."""

    source: ClassVar[str] = "bitproof"
    version: ClassVar[int] = 1

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def check(self, work: Work) -> None:
        """There is nothing that it cannot do."""

    def run(self, work: Work) -> None:
        """See ``Executor``."""
        heap = Heap()
        with work.evaluator:
            for cell, then in zip(work.todo, [*work.todo[1:], None], strict=False):
                _run(work, cell, then)
                heap.settle()


def _run(work: Work, cell: Cell, then: Cell | None) -> None:
    each, times = work.cost_s(cell) / max(1, len(work.plan.samples(cell))), Times()
    try:
        work.say(cell)
        rows = work.evaluator.rows(cell, then, times, lambda n: work.reporter.advance(n * each))
    except StoreError:
        raise
    except Exception as error:  # whatever somebody's network raises, the other cells go on
        work.fail(cell, error)
    else:
        work.finish(cell, rows, times)
