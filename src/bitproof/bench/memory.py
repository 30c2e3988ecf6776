"""Keeping freed memory for the next batch, and giving it back at the end of a cell."""

from __future__ import annotations

import ctypes
from mmap import PAGESIZE
from pathlib import Path

#: glibc's names for its settings, from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large blocks instead of returning each to the system; return whether it listened.

    A forward of EfficientNet-Lite0 frees and takes hundreds of megabytes a batch, and each page of them would be mapped anew:
    on 2 cores that was more than half of the processor's time. Other C libraries have no such setting and are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


def give_back_freed_memory() -> bool:
    """Give freed memory back to the system; return whether there was any, or a way to."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError, TypeError):
        return False


class Heap:
    """Gives freed memory back once the process has grown by ``slack_bytes`` since it last did.

    What is kept for long between large blocks that come and go splits the room that they leave, so a heap that never shrinks
    grows with every cell (docs/speed.md). Each time costs the next cell the pages that it
    needs again, so it is not done where nothing has grown.
    """

    def __init__(self, slack_bytes: int = 1 << 30) -> None:
        self.slack_bytes, self._settled = slack_bytes, resident_bytes()

    def settle(self) -> None:
        """Look, and give back if it is time; called between cells."""
        if resident_bytes() - self._settled > self.slack_bytes:
            give_back_freed_memory()
            self._settled = resident_bytes()


def resident_bytes() -> int:
    """Memory of this process that is not swapped out; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGESIZE
    except OSError:
        return 0


def peak_bytes() -> int:
    """The most memory that this process has had so far; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
