"""Keeping freed memory, so that the next batch need not ask the system for it again."""

from __future__ import annotations

import ctypes

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
