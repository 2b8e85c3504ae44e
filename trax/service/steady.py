"""Memory that is let go of goes back to the machine: a daemon that runs for years must not keep what one busy hour took."""

from __future__ import annotations

import ctypes

# The names of <malloc.h>.
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
#: Bytes from which an allocation is a mapping of its own, which freeing it undoes. It is glibc's own first value; only it would raise it
#: with each larger piece that is freed, and the ledger is written in larger ones at every step.
_OWN_MAPPING = 128 << 10


def keep_memory_steady() -> None:
    """Have the C library share one heap among all threads, and map large pieces on their own. Does nothing where it is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)
