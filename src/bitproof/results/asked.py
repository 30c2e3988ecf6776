"""Every answer that was had of a chat model, by what was asked: a run that was killed asks nothing twice."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from bitproof.core import Reply, StoreError


class Asked:
    """Key → reply in a SQLite file, each answer durable once it is put there. May be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        with self._explained():
            self._file = sqlite3.connect(path, check_same_thread=False, timeout=30)
            self._file.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID")
            self._file.commit()

    def get(self, key: str) -> Reply | None:
        """Return the answer to what was asked under ``key``, or None. Raises StoreError."""
        with self._explained(), self._lock:
            row = self._file.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else Reply(**json.loads(row[0]))

    def put(self, key: str, reply: Reply) -> None:
        """Keep an answer. Raises StoreError."""
        text = json.dumps(dataclasses.asdict(reply))
        with self._explained(), self._lock, self._file:
            self._file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise StoreError(
                f"{str(self._path)!r} cannot be used: {error}. Delete the file to go on: its answers are asked anew."
            ) from None
