"""What a process gives up before it meets what others made: rights it does not need cannot be taken over.

Each part is asked of the kernel for good; where it lacks one (an old kernel, some containers) the others still hold, and the caller is
told, so that it can be said.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import resource
from collections.abc import Callable
from dataclasses import dataclass

from trax.worker import landlock, seccomp
from trax.worker.seccomp import Rules, When

_PR_SET_NO_NEW_PRIVS = 38

LANDLOCK = "Landlock"
SECCOMP = "system-call filter"

_NOT_EXECUTABLE = When(argument=2, without=mmap.PROT_EXEC)
#: What code needs that computes, and reads and writes what is open: see `seal`. Here, the conditions follow.
_NEEDED_TO_COMPUTE = (
    *("read", "pread64", "write", "writev", "lseek", "close", "dup", "fstat"),
    *("brk", "munmap", "mremap", "madvise", "futex", "sched_yield", "sched_getaffinity", "getrandom", "getpid", "gettid"),
    *("clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "setitimer"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group"),
)
#: What no worker has any business with: see `renounce`. io_uring would get round the rest.
_NEEDED_BY_NO_WORKER = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("execve", "execveat", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_getfd"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise"),
    *("mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_by_handle_at"),
    *("bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd"),
    *("keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
)


@dataclass(frozen=True, slots=True)
class Defences:
    """What this kernel has: the version of Landlock (0: none), and whether it filters system calls."""

    landlock: int
    seccomp: bool


def defences() -> Defences:
    """What this kernel has."""
    return Defences(landlock.version(), seccomp.is_available())


def seal(*, keep: int) -> tuple[str, ...]:
    """Leave this process nothing but its open descriptors, memory and processor time; returns the defences that this kernel lacks.

    To be called when every library is loaded: no file can be opened, and no memory made executable, from here on. No thread can be
    started, no program run, no socket made, and nobody else be signalled or looked into. Descriptors up to `keep` stay usable.
    """
    _renounce_new_privileges()
    rules: Rules = {
        **dict.fromkeys(_NEEDED_TO_COMPUTE),
        "mmap": _NOT_EXECUTABLE,
        "mprotect": _NOT_EXECUTABLE,
        "tgkill": When(argument=0, equal=os.getpid()),  # abort(3) ends this process so
    }
    has_landlock = landlock.give_up_access()
    _forbid_new_descriptors(keep)  # after Landlock, which takes one for a moment; before the filter, which would not have it
    has_filter = _install(seccomp.only, rules)
    return tuple(name for name, is_there in ((LANDLOCK, has_landlock), (SECCOMP, has_filter)) if not is_there)


def renounce() -> None:
    """Give up what no worker needs: the network, running programs, other processes, the kernel's workings. What the kernel lacks, stays.

    To be called before the first thread is started: those there already would keep their rights.
    """
    _renounce_new_privileges()
    landlock.give_up_access(files=False)
    _install(seccomp.without, dict.fromkeys(_NEEDED_BY_NO_WORKER))


def _forbid_new_descriptors(keep: int) -> None:
    """Have whatever opens something fail with EMFILE, whatever else the kernel has of a sandbox."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (keep + 1, keep + 1))
    with contextlib.suppress(OSError):
        while True:
            os.dup(2)  # take the free numbers below the limit too


def _renounce_new_privileges() -> None:
    """No program that is run can get rights this process has not (prctl(2)); the other parts are only to be had with it."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _install(program: Callable[[Rules, str], bytes], rules: Rules) -> bool:
    try:
        return seccomp.install(program(rules, platform.machine()))
    except KeyError:  # a machine without a table of its calls
        return False
