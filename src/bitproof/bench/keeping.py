"""What the finished batches of a long cell left is stored before the cell is done: a killed run goes on within it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bitproof.core import SampleRow
from bitproof.results import Store

#: Rows are stored at most so often: short cells, and short batches, cost nothing.
EVERY_S = 20.0


class Keeper:
    """Told of all rows of a cell so far, of which ``begun`` were stored by an earlier run."""

    def __init__(self, store: Store, cell: str, begun: int) -> None:
        self.store, self.cell, self.begun, self.stored = store, cell, begun, begun
        self._since = time.monotonic()

    def __call__(self, rows: Sequence[SampleRow]) -> None:
        """Store the rows that are not, if it is time; ``rows`` are those of this run."""
        new = rows[self.stored - self.begun :]
        if new and time.monotonic() - self._since >= EVERY_S:
            self.store.write_part(self.cell, self.stored, new)
            self.stored, self._since = self.stored + len(new), time.monotonic()
