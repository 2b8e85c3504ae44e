"""Landlock: a process gives up all access to files, the network and other processes but by what it has open already.

A rule set with no rule in it, so three system calls are all that is needed (Documentation/userspace-api/landlock.rst). What is not
covered: reading the attributes of files, and descriptors that are open.
"""

from __future__ import annotations

import ctypes
import os
import struct

# Their numbers are the same on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_FOR_VERSION = 1

#: The version of Landlock from which on each kind of access can be refused (linux/landlock.h) → its bits.
_FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK = {4: 0b11}  # to bind and to connect TCP sockets
_SCOPES = {6: 0b11}  # abstract Unix sockets and signals, to anything outside


def version() -> int:
    """The version of Landlock in this kernel, from 1; 0 where it is missing or not switched on."""
    return max(0, _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_FOR_VERSION))


def give_up_access(*, files: bool = True) -> bool:
    """Give it up for this thread and what it starts, as far as the kernel knows how; False where it has no Landlock.

    `files` False keeps the access to files. The process must have given up new privileges before.
    """
    known = version()
    if not known:
        return False

    def bits(kinds: dict[int, int]) -> int:
        return sum(mask for since, mask in kinds.items() if since <= known)

    # struct landlock_ruleset_attr; a kernel that knows less of it takes the rest when it is zero
    wanted = struct.pack("=QQQ", bits(_FILES) if files else 0, bits(_NETWORK), bits(_SCOPES))
    if not any(wanted):
        return False
    ruleset = _syscall(_CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), 0)
    if ruleset < 0:
        return False
    try:
        return _syscall(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _syscall(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))
