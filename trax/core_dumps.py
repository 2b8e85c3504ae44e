"""No core dumps: the memory of Trax holds confidential sound and words, and a core file would carry them past every rule about them."""

from __future__ import annotations

import contextlib
import resource


def forbid() -> None:
    """Let the kernel write no core of this process and of those it starts, and hand none to a program either.

    The limit is one byte, not none: a program named in /proc/sys/kernel/core_pattern, as systemd-coredump is, gets a core whatever the
    limit, but for this value, by which such programs keep off their own (`do_coredump` in the kernel; core(5) on limits and pipes).
    Who may look into the processes, as gdb and py-spy do, is not changed.
    """
    with contextlib.suppress(ValueError):  # an administrator's limit of none cannot be raised to it
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
