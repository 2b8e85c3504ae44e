"""The kernel's limits on what a process may take (setrlimit(2))."""

from __future__ import annotations

import resource


def limit(which: int, most: int, *, grace: int = 0) -> None:
    """Limit this process for good, and what it starts: `which` is a RLIMIT_… of `resource`, `most` in the unit of that one.

    Where the kernel sends a signal at the limit, it ends the process only `grace` later. A ceiling that is lower already stays.
    """
    ceiling = resource.getrlimit(which)[1]
    soft, hard = most, most + grace
    if ceiling != resource.RLIM_INFINITY:  # no process may raise its own
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))
