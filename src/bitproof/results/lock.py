"""One runner at a time in a results directory; the operating system gives the lock back however the runner ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitproof.core import StoreError
from bitproof.results.files import explained

_HELD: set[int] = set()


def _forget() -> None:
    while _HELD:
        os.close(_HELD.pop())


# A forked child shares its parent's lock: without this, a worker that outlives a killed runner would hold the directory.
os.register_at_fork(after_in_child=_forget)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``. Raises StoreError naming the process that holds it already."""
    with explained("locked", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    _HELD.add(descriptor)
    try:
        _acquire(descriptor, path)
        yield
    finally:
        _HELD.discard(descriptor)
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> None:
    with explained("locked", path):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StoreError(
                f"{str(path.parent)!r} is in use by process {holder}: one run at a time writes to a results directory. "
                "Wait until it ends, or give another directory with -o."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
