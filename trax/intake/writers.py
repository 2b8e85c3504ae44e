"""Whether someone still writes to a file."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import signal
from pathlib import Path

from trax.intake.beneath import regular_file

_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4  # of prctl(2)


def keep_right_to_ask() -> None:
    """Keep CAP_LEASE from the processes that this one starts: they have nobody to ask about."""
    ctypes.CDLL(None).prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)


def has_writer(path: Path) -> bool:
    """Whether a process of this machine has the regular file open for writing, or mapped; False as well when the system cannot tell.

    The kernel grants a read lease on a file only when nobody has it open for writing (fcntl(2), F_SETLEASE). It answers for the files of
    the own user, or for all with CAP_LEASE, which the unit grants, and not on most network file systems: the caller does not rely on
    this alone.
    """
    try:
        with regular_file(path) as descriptor:
            return descriptor is not None and _lease_is_refused(descriptor)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK  # someone holds a lease to write


def _lease_is_refused(descriptor: int) -> bool:
    try:
        # Who opens the file for writing while we hold the lease makes the kernel signal us: by default SIGIO, which would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
