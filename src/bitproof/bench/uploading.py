"""A run whose results belong at a URL: what was finished is handed over now and then, and at the end."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitproof.core import StoreError
from bitproof.results import Mirror, is_url

#: Seconds between two uploads; a machine that is lost takes no more finished work along.
EVERY_S = 10.0


class Uploading:
    """Told of each cell; uploads at most every ``EVERY_S``. What fails is tried again at the next upload."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror, self._since = mirror, time.monotonic()

    def __call__(self, *_: object) -> None:
        """Upload, if it is time."""
        if time.monotonic() - self._since < EVERY_S:
            return
        try:
            self.mirror.push()
        except StoreError as error:
            warnings.warn(f"{error} It is tried again after a cell, in {EVERY_S:.0f} s at the earliest.", stacklevel=2)
        self._since = time.monotonic()


def place(out: str | Path) -> Path:
    """Return the directory on this machine that a run into ``out`` works in. Raises StoreError for a URL that cannot be."""
    return Mirror(str(out)).local if is_url(out) else Path(out)


@contextmanager
def placed(out: str | Path) -> Iterator[tuple[Path, list[Uploading]]]:
    """Give the directory that a run works in, and whom to tell of its cells; at the end the URL has what the directory has.

    Raises StoreError where a URL cannot be read or, at the end, written.
    """
    if not is_url(out):
        yield place(out), []
        return
    mirror = Mirror(str(out))
    mirror.pull()
    try:
        yield mirror.local, [Uploading(mirror)]
    finally:
        mirror.push()
