"""What an executor is, and the table of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from bitproof.bench.work import Work
from bitproof.core import Registry

EXECUTORS = Registry("executor", {"local": "bitproof.bench.executors.local:Local", "ray": "bitproof.bench.executors.ray:Cluster"})


class Executor(AbstractContextManager["Executor"], Protocol):
    """Does the work of a run's plans, one after the other; entered once, for all of them."""

    def check(self, work: Work) -> None:
        """Raise SpecError for work that this executor cannot do; asked before anything is done."""

    def run(self, work: Work) -> None:
        """Do what is left of ``work``. Raises StoreError where rows cannot be stored; any other error is its cell's alone."""


def executor(spec: str) -> Executor:
    """Return the executor that ``spec`` names: ``local``, ``ray``, ``ray:address=HOST:PORT,gpus=0.5``."""
    built: Executor = EXECUTORS.build(spec)
    return built
