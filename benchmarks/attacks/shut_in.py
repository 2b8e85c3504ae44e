"""Run a command shut in as `systemd/traxd.service` asks for, by the means systemd itself uses, where no systemd runs.

Namespaces of its own for mounts, network and System V objects; everything read-only but ROOT and the kernel's own file systems; a private
/tmp, /dev and no home; another user without capabilities but those of the unit; no new privileges; and the unit's filters of system calls,
made by libseccomp with the same results. Needs root. systemd.exec(5) says what each setting does; the names here are its.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

from speech_data import REPOSITORY

from attacks.unit import ShutInError, is_on, library, shut_system_calls, syscall_sets, unit

#: Who the service is here: a user and a group that exist and own nothing.
SERVICE = 1
_HOMES = ("/root", "/home", "/run/user")
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWNET = 0x20000, 0x8000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 4096, 16384, 1 << 19
_MOUNT_SETATTR, _OPEN_TREE, _MOVE_MOUNT = 442, 428, 429
_AT_FDCWD, _AT_RECURSIVE, _OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _RDONLY = -100, 0x8000, 1, 4, 1
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAPBSET_DROP, _PR_SET_KEEPCAPS = 38, 47, 24, 8
_CAPABILITIES = {"CAP_LEASE": 28}

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise ShutInError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def lacking() -> str:
    """Why nothing can be shut in here; empty when it can be."""
    if os.geteuid() != 0:
        return "needs root for namespaces"
    if not library():
        return "needs libseccomp"
    try:
        syscall_sets()
    except (OSError, subprocess.CalledProcessError):
        return "needs systemd-analyze, which knows the sets of system calls"
    return ""


# ── file systems ──


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    text = [each.encode() if each is not None else None for each in (source, target, kind)]
    _checked(_libc.mount(*text, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _set_read_only(path: str, *, on: bool) -> None:
    attributes = (ctypes.c_uint64 * 4)(_RDONLY if on else 0, 0 if on else _RDONLY, 0, 0)
    done = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path.encode(), _AT_RECURSIVE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    _checked(done, f"make {path} {'read-only' if on else 'writable'}")


def _held(path: str) -> int:
    """A mount of its own of a folder, not in the tree yet."""
    return _checked(_libc.syscall(_OPEN_TREE, _AT_FDCWD, path.encode(), _OPEN_TREE_CLONE | _AT_RECURSIVE), f"hold {path}")


def _put(held: int, path: str) -> None:
    Path(path).mkdir(parents=True, exist_ok=True)
    _checked(_libc.syscall(_MOVE_MOUNT, held, b"", _AT_FDCWD, path.encode(), _MOVE_MOUNT_F_EMPTY_PATH), f"place {path}")


def _make_private_devices() -> None:
    _mount("tmpfs", "/dev", "tmpfs", _MS_NOSUID, "mode=755")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        Path(f"/dev/{name}").chmod(0o666)
    for name, number in {"stdin": 0, "stdout": 1, "stderr": 2}.items():
        Path(f"/dev/{name}").symlink_to(f"/proc/self/fd/{number}")
    Path("/dev/shm").mkdir()
    _mount("tmpfs", "/dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")  # its own, so that who writes there is known


def shut_file_systems(root: Path) -> None:
    """ProtectSystem=strict, ReadWritePaths=ROOT, PrivateTmp, ProtectHome, PrivateDevices, ProtectProc; our own files stay."""
    own = _held(str(root))
    hidden = (("/tmp", "/var/tmp") if is_on("PrivateTmp") else ()) + (_HOMES if is_on("ProtectHome") else ())
    ours = {each: _held(each) for each in (sys.base_prefix, sys.prefix, str(REPOSITORY)) if each.startswith(hidden)}
    if is_on("PrivateDevices"):
        _make_private_devices()
    if visible := unit().get("ProtectProc"):
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV, f"hidepid={visible[-1]}")
    for folder in filter(os.path.isdir, hidden):
        _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777" if folder.endswith("tmp") else "mode=755")
    for path, held in ours.items():
        _put(held, path)
    Path(root).mkdir(parents=True, exist_ok=True)
    _set_read_only("/", on=True)
    for folder in filter(os.path.isdir, ("/dev", "/proc", "/tmp", "/var/tmp")):
        _set_read_only(folder, on=False)
    _put(own, str(root))


# ── user and rights ──


def _capabilities() -> list[int]:
    return [_CAPABILITIES[name] for line in unit().get("AmbientCapabilities", []) for name in line.split()]


def become_the_service() -> None:
    """User=, Group=, CapabilityBoundingSet=, AmbientCapabilities=, NoNewPrivileges=. Not UMask=: Trax must not need it."""
    keep = _capabilities()
    for capability in range(64):
        if capability not in keep:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(SERVICE, SERVICE, SERVICE)
    os.setresuid(SERVICE, SERVICE, SERVICE)
    bits = sum(1 << capability for capability in keep)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    _checked(_libc.capset(header, data), "keep the unit's capabilities")
    for capability in keep:
        _checked(_libc.prctl(_PR_CAP_AMBIENT, 2, capability, 0, 0), "hand a capability on")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def set_limits() -> None:
    """LimitNOFILE= and LimitCORE=."""
    for name, which in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitCORE", resource.RLIMIT_CORE)):
        value = int(unit()[name][-1])
        resource.setrlimit(which, (value, value))


def command(root: Path, *inner: str) -> tuple[str, ...]:
    """The command line that shuts itself in over `root` and becomes the program `inner`, given by its path and arguments."""
    here = str(Path(__file__).resolve().parents[1])
    return sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r}); from attacks.shut_in import main; main()", str(root), *inner


def main() -> None:
    """Shut this process in and become what `command` named."""
    root, inner = Path(sys.argv[1]), sys.argv[2:]
    _checked(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC | (_CLONE_NEWNET if is_on("PrivateNetwork") else 0)), "unshare")
    _mount("none", "/", None, _MS_REC | _MS_SLAVE)
    shut_file_systems(root)
    syscall_sets()  # while a program can still be run
    library()
    os.chdir(root)
    set_limits()
    become_the_service()
    shut_system_calls()
    os.execve(inner[0], inner, {**os.environ, "HOME": str(root), "USER": "trax", "LOGNAME": "trax"})


if __name__ == "__main__":
    main()
