"""All trackers of one run: told of each cell when it is done, and never a reason for a run to end."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bitproof
from bitproof.analysis import wilson
from bitproof.bench.ahead import Times
from bitproof.bench.fits import knows_label
from bitproof.bench.ids import Cell
from bitproof.bench.trackers.tracker import TRACKERS, Log, Tracked, Tracker
from bitproof.core import BitproofError, SampleRow, SpecError, UnknownName
from bitproof.results import Store

#: What may stand in the name of a figure, in all of the trackers.
_FOREIGN = re.compile(r"[^A-Za-z0-9_.\- /]")


@dataclass
class _Begun:
    name: str
    log: Log


class Tracking:
    """The trackers that ``specs`` name, for the run in ``store``; entered for as long as it runs.

    Raises SpecError and MissingExtra for a tracker that cannot begin; one that fails later is warned about and left out.
    """

    def __init__(self, specs: Sequence[str], store: Store, grid: str, cells: Sequence[Cell]) -> None:
        self._settings = {spec: _built(spec) for spec in specs}
        self._store, self._grid = store, grid
        self._places = {cell.id: place for place, cell in enumerate(cells)}
        self._named = [name for name, value in _PARTS.items() if name in ALWAYS or len({value(cell) for cell in cells}) > 1]
        self._begun: list[_Begun] = []

    def __enter__(self) -> Tracking:
        settings = {"grid": self._grid, "bitproof": bitproof.__version__}
        for spec, tracker in self._settings.items():
            name = spec.partition(":")[0]
            run = Tracked(self._store.path.name, self._store.path, settings, self._store.tracked(spec))
            try:
                log = tracker.begin(run)
                self._store.write_tracked(spec, log.id)
            except BitproofError:
                raise
            except Exception as error:  # nothing has run yet: better to mend it now
                reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                raise SpecError(f"The tracker {spec!r} cannot begin: {reason}. Mend that, or leave out --track.") from None
            self._begun.append(_Begun(name, log))
        return self

    def __exit__(self, *exc: object) -> None:
        for each in self._begun:
            self._try(each, each.log.close)

    def __call__(self, cell: Cell, rows: Sequence[SampleRow], times: Times) -> None:
        """Log the figures of a cell that is done; none behind a defense that knows the label: its controls are other cells."""
        if not self._begun or knows_label(cell.defense):
            return
        found = figures(rows, times)
        place = "/".join(_FOREIGN.sub("_", _PARTS[name](cell)) for name in self._named)
        named = {f"{name}/{place}": value for name, value in found.items() if math.isfinite(value)}
        for each in list(self._begun):
            self._try(each, lambda each=each: each.log.figures(named, self._places[cell.id]))  # type: ignore[misc]

    def _try(self, each: _Begun, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            _warn(each.name, error)
            self._begun.remove(each)


#: What tells cells apart in the name of a figure; task, defense and seed only where a grid has several.
_PARTS: dict[str, Callable[[Cell], str]] = {
    "task": lambda cell: cell.variant.task,
    "model": lambda cell: cell.variant.names[0],
    "recipe": lambda cell: cell.variant.names[1],
    "noise": lambda cell: cell.noise,
    "defense": lambda cell: cell.defense,
    "seed": lambda cell: f"seed {cell.variant.seed}",
}
ALWAYS = ("model", "recipe", "noise")


def figures(rows: Sequence[SampleRow], times: Times) -> dict[str, float]:
    """Return what is logged of a cell: accuracy in % with its 95 % interval, mean loss and margin, n, and the network's seconds."""
    n, hits = len(rows), sum(row.correct for row in rows)
    low, high = wilson(hits, n)
    found: dict[str, Any] = {"accuracy": 100 * hits / n, "accuracy_low": low, "accuracy_high": high, "n": n}
    found |= {name: sum(getattr(row, name) for row in rows) / n for name in ("loss", "margin")}
    return {name: float(value) for name, value in (found | {"network_s": times.network_s}).items()}


def _built(spec: str) -> Tracker:
    try:
        found: Tracker = TRACKERS.build(spec)
    except UnknownName:
        raise UnknownName("tracker", spec.partition(":")[0], TRACKERS, f"Known: {', '.join(TRACKERS)}.") from None
    return found


def _warn(name: str, error: Exception) -> None:
    warnings.warn(
        f"The tracker {name!r} failed and is told no more in this run: {type(error).__name__}: {error}. The rows are safe.",
        stacklevel=3,
    )
