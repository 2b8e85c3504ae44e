"""Memory that is let go of goes back to the machine: a daemon that runs for years must not keep what one busy hour took."""

from __future__ import annotations

import ctypes
import gc

_M_MMAP_THRESHOLD = -3  # of <malloc.h>
#: Bytes from which an allocation is a mapping of its own, which freeing it undoes: glibc's own first value, now for good.
_OWN_MAPPING = 128 << 10


def keep_memory_steady() -> None:
    """Have the C library map large pieces on their own, always. Does nothing where it is not glibc.

    Left alone, glibc raises the threshold with each larger piece that is freed. What recordings are hashed and copied in, and the
    snapshots of the ledger, then come to lie between small pieces in the heaps of several threads: eight threads kept 8 MB for nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)


def take_stock() -> None:
    """All that is loaded and remembered by now stays: `let_go` need not look at it again."""
    gc.collect()
    gc.freeze()


def let_go() -> None:
    """Have Python collect what refers to itself, and give up its spare parts.

    By itself it does so about once in a thousand jobs; until then it keeps up to 2,000 freed tuples of each length, and more of the kind,
    which hold on to the pages around them.
    """
    gc.collect()
