"""The executor that spreads a run over a Ray cluster; the only file that knows Ray.

The driver alone writes results. Workers share nothing with it but the data that the grid names: each has a folder of its own
for networks, is sent those that a cell needs, and sends rows back. So a worker or a node that dies loses no more than it had
in hand, and that is done again elsewhere.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import tempfile
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from bitproof.bench.ahead import Times
from bitproof.bench.device import device_named
from bitproof.bench.grid import Grid
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.kind import Divisible
from bitproof.bench.memory import Heap, keep_freed_memory
from bitproof.bench.plan import Plan
from bitproof.bench.work import Work
from bitproof.core import DataError, MissingExtra, ModelError, SampleRow, SpecError
from bitproof.models import Network
from bitproof.results import Store

#: A cell that is predicted to take longer is done in pieces of about so many seconds, on several workers at once.
PIECE_S = 60.0

#: Tasks that are handed to the cluster ahead of each worker that is free.
AHEAD = 2

#: How often a task is done again after a worker died under it.
RETRIES = 3

#: What a worker has to see of the driver's surroundings.
PASSED_ON = ("BITPROOF_DATA", "PYTHONPATH")

Files = dict[str, bytes]
T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """What a worker makes the plan of: the same on every machine, or its ids differ and it says so."""

    grid: Grid
    own: Mapping[str, Network]
    device: str


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster: the one at ``address``, else all cores of this machine. ``gpus``: what share of a GPU a task asks for."""

    address: str | None = None
    gpus: float = 0.0
    source: ClassVar[str] = "https://docs.ray.io"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.gpus <= 8.0:
            raise SpecError(f"A task asks for 0 to 8 GPUs, and a fraction shares one; found gpus={self.gpus}.")
        _ray()

    def __enter__(self) -> Cluster:
        passed = {name: value for name in PASSED_ON if (value := os.environ.get(name))}
        start: dict[str, Any] = {"address": self.address} if self.address else {"address": "local", "include_dashboard": False}
        try:
            _knock(self.address)
            _ray().init(**start, runtime_env={"env_vars": passed}, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            if self.address is None:
                raise SpecError(f"Ray does not start on this machine: {reason}.") from None
            raise SpecError(f"There is no Ray cluster at {self.address!r}: {reason}. 'ray start --head' starts one.") from None
        return self

    def __exit__(self, *exc: object) -> None:
        _ray().shutdown()

    def check(self, work: Work) -> None:
        """Refuse what is not divisible: cells of chat endpoints wait for a server, not for a processor."""
        if not isinstance(work.evaluator, Divisible):
            raise SpecError("A cluster is for networks. Chat endpoints are asked by one process, several questions at a time.")
        fitted = next((cell.defense for cell in work.todo if (fit := work.plan.fit(cell)) and fit.labels), None)
        if fitted:
            raise SpecError(
                f"A cluster fits no defenses, so that all cells meet the same one, and {fitted!r} is fitted. Run it locally."
            )

    def run(self, work: Work) -> None:
        """See ``Executor``."""
        _Driver(_ray(), work, self.gpus).run()


@dataclass(frozen=True)
class _Piece:
    """The samples from ``first`` to before ``last`` of a cell."""

    cell: Cell
    first: int
    last: int


class _Driver:
    """Hands variants and pieces to the cluster, each when what it needs is there, and stores what comes back."""

    def __init__(self, ray: Any, work: Work, gpus: float) -> None:
        self.ray, self.work = ray, work
        plan = work.plan
        self.key, self.setup = uuid.uuid4().hex, ray.put(Setup(plan.grid, plan.own, str(work.device) if not gpus else "auto"))
        asked = {"num_cpus": plan.threads, "num_gpus": gpus, "max_retries": RETRIES}
        self.make, self.evaluate = (ray.remote(**asked)(task) for task in (_make, _evaluate))
        self.bound = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)) // plan.threads)
        self.networks: dict[Variant, Any] = {}
        self.waiting: dict[Variant, list[Variant | _Piece]] = defaultdict(list)
        self.missing: dict[Variant | _Piece, set[Variant]] = {}
        self.ready: deque[Variant | _Piece] = deque()
        self.pending: dict[Any, Variant | _Piece] = {}
        self.open: dict[Cell, int] = {}
        self.rows: dict[Cell, dict[int, list[SampleRow]]] = {}
        self.spent: dict[Cell, Times] = defaultdict(Times)

    def run(self) -> None:
        """Do all cells."""
        self._queue()
        while self.pending or self.ready:
            while self.ready and len(self.pending) < self.bound:
                self._submit(self.ready.popleft())
            done, _ = self.ray.wait(list(self.pending))
            for reference in done:
                self._collect(reference)

    def _queue(self) -> None:
        """Line up the variants that are to be made, then the pieces of the cells, noise by noise as in a local run."""
        needed = dict.fromkeys(variant for cell in self.work.todo for variant in self.work.needs(cell))
        for variant in needed:
            if self.work.evaluator.made(variant):
                self._share(variant, self.work.store.variant_files(variant.id))
        for variant in needed:
            if variant not in self.networks:
                teacher = self.work.plan.teacher(variant)
                self._line_up(variant, set() if teacher is None else {teacher})
        for cell in self.work.todo:
            pieces = list(self._pieces(cell))
            self.open[cell] = len(pieces)
            for piece in pieces:
                self._line_up(piece, set(self.work.needs(cell)))

    def _pieces(self, cell: Cell) -> list[_Piece]:
        """Whole batches, so that rows are those of a local run; what an earlier run stored of the cell is not done again."""
        begun = self.work.store.part(cell.id)
        self.rows[cell] = {0: begun} if begun else {}
        count, first = len(self.work.plan.samples(cell)), len(begun)
        share = PIECE_S / max(PIECE_S, self.work.cost_s(cell))
        step = cell.batch_size * max(1, math.ceil(share * count / cell.batch_size))
        return [_Piece(cell, start, min(start + step, count)) for start in range(first, count, step)] or [
            _Piece(cell, count, count)
        ]

    def _line_up(self, item: Variant | _Piece, needs: set[Variant]) -> None:
        missing = {variant for variant in needs if variant not in self.networks}
        for variant in missing:
            self.waiting[variant].append(item)
        if missing:
            self.missing[item] = missing
        else:
            self.ready.append(item)

    def _submit(self, item: Variant | _Piece) -> None:
        if isinstance(item, Variant):
            teacher = self.work.plan.teacher(item)
            sent = {} if teacher is None else {teacher.id: self.networks[teacher]}
            self.work.tell(item, 0.0, "on the cluster")
            reference = self.make.remote(self.key, [self.setup], item.id, sent)
        else:
            self.work.say(item.cell)
            sent = {variant.id: self.networks[variant] for variant in self.work.needs(item.cell)}
            reference = self.evaluate.remote(self.key, [self.setup], item.cell.id, item.first, item.last, sent)
        self.pending[reference] = item

    def _collect(self, reference: Any) -> None:
        item = self.pending.pop(reference)
        try:
            found = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            self._fail(item, _cause(error))
        except self.ray.exceptions.RayError as error:
            lost = str(error).strip().partition("\n")[0]
            self._fail(item, ModelError(f"Its worker died {RETRIES + 1} times, the last time of {type(error).__name__}: {lost}."))
        else:
            if isinstance(item, Variant):
                self._made(item, cast(Files, found))
            else:
                self._evaluated(item, *found)

    def _made(self, variant: Variant, files: Files) -> None:
        self.work.store.write_variant_files(variant.id, files)
        self.work.tell(variant, 1.0, "made")
        self._share(variant, files)
        for item in self.waiting.pop(variant, []):
            if (left := self.missing.get(item)) is None:
                continue  # it failed with another network
            left.discard(variant)
            if not left:
                del self.missing[item]
                self.ready.append(item)

    def _share(self, variant: Variant, files: Files) -> None:
        """Keep the files where every worker can ask for them; this process owns them, so that no node takes them along."""
        self.networks[variant] = self.ray.put(files)

    def _evaluated(self, piece: _Piece, rows: list[SampleRow], times: Times) -> None:
        cell = piece.cell
        if cell not in self.open:
            return  # another piece of it failed
        count = len(self.work.plan.samples(cell))
        self.work.reporter.advance(self.work.cost_s(cell) * (piece.last - piece.first) / max(1, count))
        self.spent[cell] += times
        self.rows[cell][piece.first] = rows
        self.open[cell] -= 1
        if self.open[cell]:
            self.work.store.write_part(cell.id, piece.first, rows)
            return
        del self.open[cell]
        parts = self.rows.pop(cell)
        self.work.finish(cell, [row for first in sorted(parts) for row in parts[first]], self.spent.pop(cell))

    def _fail(self, item: Variant | _Piece, error: Exception) -> None:
        """Fail the cell of a piece, or all that waits for a variant."""
        if isinstance(item, _Piece):
            if self.open.pop(item.cell, None) is not None:
                self.work.fail(item.cell, error)
            return
        for blocked in self.waiting.pop(item, []):
            if self.missing.pop(blocked, None) is not None:
                self._fail(blocked, error)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray", "--executor ray") from None
    return ray


def _knock(address: str | None) -> None:
    """Raise OSError or ValueError where nobody answers at HOST:PORT: Ray itself would wait for minutes."""
    if address not in (None, "auto"):
        host, _, port = str(address).rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


def _cause(error: Any) -> Exception:
    return error.cause if isinstance(error.cause, Exception) else error


# What runs on a worker.


def _tell_nobody(variant: Variant, share: float, text: str) -> None:
    pass


class _Worker:
    """One process of the cluster: its own plan, networks and evaluator."""

    def __init__(self, setup: Setup) -> None:
        keep_freed_memory()
        self.folder = tempfile.TemporaryDirectory(prefix="bitproof-")
        self.store, self.heap = Store.create(Path(self.folder.name) / "run"), Heap()
        plan = Plan(setup.grid, setup.own)
        self.evaluator = cast(Divisible, plan.kind.evaluator(plan, self.store, _tell_nobody, device_named(setup.device)))
        self.evaluator.__enter__()
        self.cells = {cell.id: cell for cell in plan.cells}
        self.variants = {variant.id: variant for variant in plan.made}

    def receive(self, networks: Mapping[str, Any]) -> None:
        """Store the networks that are not here yet."""
        for variant, reference in networks.items():
            if not self.evaluator.made(_known(self.variants, variant)):
                self.store.write_variant_files(variant, _ray().get(reference))


_WORKERS: dict[str, _Worker] = {}


def _worker(key: str, setup: Any, networks: Mapping[str, Any]) -> _Worker:
    """This process's worker of the run ``key``, with ``networks`` in its folder; that of an earlier run or plan gives way."""
    if key not in _WORKERS:
        _WORKERS.clear()
        _WORKERS[key] = _Worker(_ray().get(setup[0]))
    _WORKERS[key].receive(networks)
    return _WORKERS[key]


def _known(items: Mapping[str, T], key: str) -> T:
    if key not in items:
        raise DataError("This worker has other code, data or weights than the process that started the run: its ids differ.")
    return items[key]


def _make(key: str, setup: Any, variant: str, networks: Mapping[str, Any]) -> Files:
    """Make a variant and return its files."""
    worker = _worker(key, setup, networks)
    worker.evaluator.make(_known(worker.variants, variant))
    return worker.store.variant_files(variant)


def _evaluate(key: str, setup: Any, cell: str, first: int, last: int, networks: Mapping[str, Any]) -> tuple[list[SampleRow], Times]:
    """Return the rows of the samples from ``first`` to before ``last`` of a cell, and where the time went."""
    worker, times = _worker(key, setup, networks), Times()
    rows = worker.evaluator.piece(_known(worker.cells, cell), first, last, times)
    worker.heap.settle()
    return rows, times
