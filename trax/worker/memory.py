"""What a worker may take of the machine's memory, so that a recording that needs too much costs its worker and nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import resource
from pathlib import Path

import psutil

from trax.worker.limits import limit

_OOM_SCORE = Path("/proc/self/oom_score_adj")
#: How much sooner than others the kernel ends a worker when the machine has no memory left: 1000 would be before everything else.
_SOONER = "500"
#: What native libraries say when an allocation is refused, where it reaches us as an error of theirs.
_REFUSALS = ("bad_alloc", "Failed to allocate memory", "Cannot allocate memory")


def go_first() -> None:
    """Have the kernel, when the machine runs out of memory, end this process rather than the daemon. Linux only; anyone may ask for it."""
    with contextlib.suppress(OSError):
        _OOM_SCORE.write_text(_SOONER, encoding="ascii")


def limit_memory(data_bytes: int) -> None:
    """Refuse this process more than so many bytes of its own: an allocation over that fails, in Python with MemoryError.

    RLIMIT_DATA counts what is private and may be written (since Linux 4.7). The address space would be too blunt: models and
    libraries are mapped from files, which costs no memory that others could not have.
    """
    limit(resource.RLIMIT_DATA, data_bytes)


def resident() -> int:
    """The bytes of memory this process has in use now (its resident set)."""
    return int(psutil.Process().memory_info().rss)


def give_back() -> None:
    """Have what was let go of go back to the machine: Python's garbage, and the freed pieces that the C library (glibc) keeps."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error tells of memory that was refused."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(refusal in str(error) for refusal in _REFUSALS)
