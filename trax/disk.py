"""Where Trax meets the disk: what it refuses becomes an error of ours, what must last is synced, and an observer is told.

An fsync that failed may have dropped the dirty pages and would succeed when repeated, so it is never repeated: it raises `DiskFailed`,
which is no `StorageError`, and ends the daemon. What was under way is done again by the next one.

Whatever changes what a power cut would leave is told to `observer` just before. Through it the tests end Trax at each of these points,
make any sync fail, and write down the history of a disk to play a power cut from it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from trax.errors import DiskFailed, DiskFull, StorageError

_OPEN = Path("/proc/self/fd")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_SYNC_OF_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
_WHO_MAY = "Check who may write there, or use sudo; `sudo -u trax trax-ctl doctor` tells what the service may."
_ADVICE = {
    errno.EACCES: _WHO_MAY,
    errno.EPERM: _WHO_MAY,
    errno.EROFS: "Its file system is mounted read-only: see `journalctl -k` for errors of the disk, or mount it for writing.",
}

Operation = Literal[
    "create", "append", "fsync", "fsync folder", "syncfs", "mkdir", "chmod", "chown", "rename", "link", "symlink", "unlink", "rmdir"
]
Observer = Callable[[Operation, Path, Path | None], None]
#: Told of each operation before it is done: what it is, the path it is about, the further path it makes. Installed by tests alone.
observer: Observer | None = None


def tell(operation: Operation, path: Path, made: Path | None = None) -> None:
    """Say what is about to be done."""
    if observer is not None:
        observer(operation, path, made)


def storage_error(action: str, error: OSError, path: Path | None = None) -> StorageError:
    """What the disk refused, as an error of ours: "Could not <action>", and DiskFull when it was for lack of room."""
    kind = DiskFull if error.errno in _NO_ROOM else StorageError
    file = None if path is None else _shown(path)
    return kind(f"Could not {action}: {error.strerror}.", file=file, advice=_ADVICE.get(error.errno or 0))


def _shown(path: Path) -> str:
    if path.is_relative_to(_OPEN) and path != _OPEN:  # reached through an open folder: the number of that tells nobody anything
        number, *rest = path.relative_to(_OPEN).parts
        with contextlib.suppress(OSError):
            path = (_OPEN / number).readlink().joinpath(*rest)
    return os.fsencode(path).decode(errors="backslashreplace")


@contextlib.contextmanager
def told(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into an error of ours."""
    try:
        yield
    except OSError as error:
        raise storage_error(action, error, path) from error


def fsync(descriptor: int, path: Path, *, named: Path | None = None) -> None:
    """Make the bytes of an open file durable; `path` is what it is called, `named` what an error calls it.

    Raises DiskFailed; OSError for lack of room, after which what was written may be thrown away and written again.
    """
    _sync("fsync", os.fsync, descriptor, path, named or path)


def sync(descriptor: int, path: Path) -> None:
    """Make the bytes of an open file durable; `path` is what it is called. Raises DiskFailed, DiskFull or StorageError."""
    with told("sync", path):
        fsync(descriptor, path)


def _sync(
    operation: Operation,
    call: Callable[[int], None],
    descriptor: int,
    path: Path,
    named: Path,
    *,
    unsupported: frozenset[int] = frozenset(),
) -> None:
    try:
        tell(operation, path)
        call(descriptor)
    except OSError as error:
        if error.errno in unsupported:  # a file system that cannot be asked is not a disk that failed
            return
        if error.errno in _NO_ROOM:
            raise
        raise DiskFailed(f"The disk did not keep what was written: {error.strerror}.", file=_shown(named)) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    with told("sync the folder", folder), _open_folder(folder) as descriptor:
        _sync("fsync folder", os.fsync, descriptor, folder, folder, unsupported=_NO_SYNC_OF_FOLDERS)


def sync_all(folder: Path) -> None:
    """Make everything durable that is on the file system of `folder`, whoever wrote it (syncfs(2)).

    A process that was killed leaves what it had not synced yet: its successor sees it, and a power cut would take it away again.
    """
    with told("sync the disk of", folder), _open_folder(folder) as descriptor:
        _sync("syncfs", _syncfs, descriptor, folder, folder)


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
