"""What `systemd/traxd.service` asks for, and its filters of system calls, made as systemd makes them: by libseccomp."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "traxd.service"
_NAMESPACES = 0x7E020080  # every CLONE_NEW flag
_FAMILIES = 46
_PR_SET_MDWE = 65


class ShutInError(Exception):
    """The kernel refused a part."""


@cache
def unit() -> dict[str, list[str]]:
    """The settings of the unit: every value of each name, in order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def is_on(name: str) -> bool:
    """Whether the unit says yes."""
    return unit().get(name, ["no"])[-1] in {"yes", "true", "strict"}


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


_EQ, _GE, _MASKED = 4, 5, 7
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


@cache
def library() -> ctypes.CDLL | None:
    """The library that systemd makes its filters with; None where it is not installed."""
    try:
        found = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        return None
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_rule_add_array.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    found.seccomp_load.argtypes = (ctypes.c_void_p,)
    return found


class _Filter:
    """One filter of libseccomp: what it does where no rule fits, and rules."""

    def __init__(self, default: int) -> None:
        found = library()
        assert found is not None
        self._library = found
        self._context = found.seccomp_init(ctypes.c_uint32(default))

    def add(self, action: int, name: str, *compare: tuple[int, int, int, int]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another architecture
        arguments = (_Compare * len(compare))(*(_Compare(*each) for each in compare))
        if done := self._library.seccomp_rule_add_array(self._context, action, number, len(compare), arguments):
            raise ShutInError(f"filter {name}: {os.strerror(-done)}")

    def load(self) -> None:
        if done := self._library.seccomp_load(self._context):
            raise ShutInError(f"load a filter: {os.strerror(-done)}")


@cache
def syscall_sets() -> dict[str, list[str]]:
    """The named sets of system calls that systemd has."""
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    members: list[str] = []
    for line in told.splitlines():
        if line.startswith("@"):
            members = found[line.strip()] = []
        elif line.startswith(" ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return found


def _members(name: str) -> Iterator[str]:
    if name.startswith("@"):
        for member in syscall_sets().get(name, ()):  # a set that this systemd does not know is left out, as systemd does
            yield from _members(member)
    else:
        yield name


def allowed_syscalls() -> set[str]:
    """What SystemCallFilter= leaves, as systemd puts its lines together, and what systemd itself always allows."""
    allowed: set[str] = set()
    for line in unit()["SystemCallFilter"]:
        named = {call for word in line.lstrip("~").split() for call in _members(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | set(_members("@default"))


def _deny(name: str, number: int, *compare: tuple[int, int, int, int]) -> None:
    filtered = _Filter(_ALLOW)
    filtered.add(_ERRNO | number, name, *compare)
    filtered.load()


def shut_system_calls() -> None:
    """Every setting of the unit that is a filter of system calls; last the allow-list, which would keep the others from being set."""
    _restrict_address_families()
    if is_on("MemoryDenyWriteExecute"):
        _deny_write_and_execute()
    if is_on("RestrictNamespaces"):
        _restrict_namespaces()
    if is_on("RestrictRealtime"):
        for policy in (1, 2, 6):
            _deny("sched_setscheduler", errno.EPERM, (1, _EQ, policy, 0))
    if is_on("LockPersonality"):
        _deny("personality", errno.EPERM, (0, _GE, 1, 0))
    calls = _Filter(_ERRNO | getattr(errno, unit()["SystemCallErrorNumber"][-1]))
    for name in sorted(allowed_syscalls()):
        calls.add(_ALLOW, name)
    calls.load()


def _restrict_address_families() -> None:
    allowed = {int(getattr(socket, name)) for name in unit()["RestrictAddressFamilies"][-1].split()}
    sockets = _Filter(_ALLOW)
    for family in set(range(_FAMILIES)) - allowed:
        sockets.add(_ERRNO | errno.EAFNOSUPPORT, "socket", (0, _EQ, family, 0))
    sockets.add(_ERRNO | errno.EAFNOSUPPORT, "socket", (0, _GE, _FAMILIES, 0))
    sockets.load()


def _deny_write_and_execute() -> None:
    both, executable, attach_executable = mmap.PROT_WRITE | mmap.PROT_EXEC, mmap.PROT_EXEC, 0o100000
    _deny("mmap", errno.EPERM, (2, _MASKED, both, both))
    for name in ("mprotect", "pkey_mprotect"):
        _deny(name, errno.EPERM, (2, _MASKED, executable, executable))
    _deny("shmat", errno.EPERM, (2, _MASKED, attach_executable, attach_executable))
    ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # as newer systemd does where the kernel has it


def _restrict_namespaces() -> None:
    for flag in (1 << bit for bit in range(32) if _NAMESPACES >> bit & 1):
        for name in ("clone", "unshare"):
            _deny(name, errno.EPERM, (0, _MASKED, flag, flag))
    _deny("setns", errno.EPERM)
    _deny("clone3", errno.ENOSYS)
