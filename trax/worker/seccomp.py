"""Filters of system calls, as the kernel takes them: small programs of classic BPF (seccomp(2)).

libseccomp would write them too, but it is a library of the system that an install of Trax cannot count on; what is needed of it is
the table below. A filter looks at the number of a call and at its arguments, never at what a pointer leads to.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

#: What a filter answers: let it through; fail with EPERM; end the process.
ALLOW, REFUSE, KILL = 0x7FFF_0000, 0x0005_0000 | errno.EPERM, 0x8000_0000

# Opcodes of linux/bpf_common.h.
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Offsets into struct seccomp_data of linux/seccomp.h.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x4000_0000  # from here on x86_64 has a second set of numbers for the same calls

#: AUDIT_ARCH_… of linux/audit.h by the name of the machine, and which column of the table is its.
_MACHINES = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}

#: Name of a call → its numbers on x86_64 and aarch64.
_NUMBERS = {
    "accept": (43, 202), "accept4": (288, 242), "add_key": (248, 217), "bind": (49, 200), "bpf": (321, 280), "brk": (12, 214),
    "chroot": (161, 51), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "close": (3, 57), "connect": (42, 203),
    "delete_module": (176, 106), "dup": (32, 23), "execve": (59, 221), "execveat": (322, 281), "exit": (60, 93), "exit_group": (231, 94),
    "finit_module": (313, 273), "fstat": (5, 80), "futex": (202, 98), "getpid": (39, 172), "getrandom": (318, 278), "gettid": (186, 178),
    "gettimeofday": (96, 169), "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "kill": (62, 129),
    "listen": (50, 201), "lseek": (8, 62), "madvise": (28, 233), "mmap": (9, 222), "mount": (165, 40), "mprotect": (10, 226),
    "mremap": (25, 216), "munmap": (11, 215), "nanosleep": (35, 101), "open_by_handle_at": (304, 265), "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "pivot_root": (155, 41), "pread64": (17, 67),
    "process_madvise": (440, 440), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "read": (0, 63), "request_key": (249, 218), "restart_syscall": (219, 128), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigqueueinfo": (129, 138), "rt_sigreturn": (15, 139), "rt_tgsigqueueinfo": (297, 240), "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124), "setitimer": (38, 103), "setns": (308, 268), "sigaltstack": (131, 132),
    "socket": (41, 198), "socketpair": (53, 199),
    "tgkill": (234, 131), "tkill": (200, 130), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "write": (1, 64),
    "writev": (20, 66),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class When:
    """A condition on one argument of a call (0 to 5; its lower 32 bits): it is `equal` to a value, or has none of the bits `without`."""

    argument: int
    equal: int | None = None
    without: int = 0


#: The calls a filter is about: each always (None), or under a condition.
Rules = Mapping[str, When | None]


def only(rules: Rules, machine: str) -> bytes:
    """The program that lets these calls through and no others: they fail with EPERM. Raises KeyError for a machine without a table."""
    return _program(rules, machine, matching=ALLOW, other=REFUSE)


def without(rules: Rules, machine: str) -> bytes:
    """The program that makes these calls fail with EPERM and lets all others through. Raises KeyError as `only`."""
    return _program(rules, machine, matching=REFUSE, other=ALLOW)


def install(program: bytes) -> bool:
    """Have this thread, and what it starts from now on, obey the program for good; False where the kernel has no such filters.

    The process must have given up new privileges before.
    """
    code = ctypes.create_string_buffer(program, len(program))
    length = len(program) // 8
    described = ctypes.create_string_buffer(struct.pack("@HP", length, ctypes.addressof(code)))  # struct sock_fprog
    refused = ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(described)), 0, 0)
    return int(refused) == 0


def is_available() -> bool:
    """Whether the kernel has filters and this machine a table here. Installs nothing: a program at no address is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None, 0, 0)
    return platform.machine() in _MACHINES and ctypes.get_errno() == errno.EFAULT


def _program(rules: Rules, machine: str, *, matching: int, other: int) -> bytes:
    architecture, column = _MACHINES[machine]
    # The numbers below mean other calls to another architecture, which the same process may use (int 0x80).
    program = [_op(_LOAD, _ARCHITECTURE), _op(_JUMP_EQUAL, architecture, yes=1), _op(_RETURN, KILL), _op(_LOAD, _NUMBER)]
    if machine == "x86_64":
        program += [_op(_JUMP_FROM, _X32, no=1), _op(_RETURN, REFUSE)]
    for name, when in rules.items():
        body = [*_unless(when), _op(_RETURN, matching)]
        if when is not None:
            body.append(_op(_RETURN, other))
        program += [_op(_JUMP_EQUAL, _NUMBERS[name][column], no=len(body)), *body]
    return b"".join([*program, _op(_RETURN, other)])


def _unless(when: When | None) -> Iterator[bytes]:
    """Skip the next operation where the condition does not hold."""
    if when is not None:
        yield _op(_LOAD, _ARGUMENTS + 8 * when.argument)  # both machines are little-endian
        yield _op(_JUMP_EQUAL, when.equal, no=1) if when.equal is not None else _op(_JUMP_BITS, when.without, yes=1)


def _op(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One operation (struct sock_filter); a jump skips `yes` or `no` of those behind it."""
    return struct.pack("=HBBI", code, yes, no, value)
