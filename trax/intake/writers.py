"""Whether someone still writes to a file."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from pathlib import Path


def has_writer(path: Path) -> bool:
    """Whether a process of this machine holds the regular file open for writing; False as well when the system cannot tell.

    The kernel grants a read lease on a file only when nobody has it open for writing (fcntl(2), F_SETLEASE). It answers for the files of
    the own user, or for all with CAP_LEASE, and not on most network file systems: the caller does not rely on this alone.
    """
    try:
        # O_PATH opens the name without touching what it names; what is then opened through it is the regular file that was checked.
        name = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(name).st_mode):
            return False
        descriptor = os.open(f"/proc/self/fd/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    finally:
        os.close(name)
    try:
        return _lease_is_refused(descriptor)
    finally:
        os.close(descriptor)


def _lease_is_refused(descriptor: int) -> bool:
    try:
        # Who opens the file for writing while we hold the lease makes the kernel signal us: by default SIGIO, which would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
