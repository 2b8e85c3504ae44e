"""The only code that writes, syncs, renames, copies and removes. Everything durable goes through here.

A rename is only durable once the folder that holds the name is synced, and a file's bytes only once the file is: so each
function here returns when what it did would survive a power cut. It raises StorageError when the disk refuses, and DiskFailed (see
`trax.disk`) when nothing more may be built on it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from trax.disk import fsync, sync_folder, tell, told
from trax.errors import StorageError

FILE_MODE = 0o640
FOLDER_MODE = 0o750
_TEMPORARY = ".trax-{}.tmp"
#: Temporary names of this process that are not in use. They are used again: `pathlib` interns each part of a path, and a process that lives
#: for years must not fill that table with names of an instant.
_spare_names: list[str] = []
_CHUNK = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def make_folder(folder: Path, mode: int = FOLDER_MODE) -> None:
    """Create a folder and its missing parents, durably; one that is there already stays as it is."""
    with told("look into", folder.parent):
        if folder.is_dir():
            return
    if folder.parent != folder:
        make_folder(folder.parent, mode)
    with told("create the folder", folder), contextlib.suppress(FileExistsError):
        tell("mkdir", folder)
        folder.mkdir(mode)  # inherits the group, and that what is put in it does too, where its parent says so
        made = stat.S_IMODE(folder.stat().st_mode)
        if made & 0o777 != mode:  # the umask must not decide who may look in
            tell("chmod", folder)
            folder.chmod(made & ~0o777 | mode)
    sync_folder(folder.parent)


def close_to_others(folder: Path, closed: int = 0o007) -> None:
    """Take from a folder of ours what its mode allows to those who are neither its owner nor of its group; or what `closed` names."""
    with told("close to others", folder):
        found = folder.stat()
        if found.st_mode & closed and os.geteuid() in (0, found.st_uid):  # of another's folder `trax-ctl doctor` warns
            tell("chmod", folder)
            folder.chmod(stat.S_IMODE(found.st_mode) & ~closed)


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` that is nobody else's for the block; should we be killed in it, `remove_temporaries` finds it."""
    try:
        name = _spare_names.pop()  # not asked for first: another thread may take the last one
    except IndexError:
        name = _TEMPORARY.format(secrets.token_hex(8))
    yield path.with_name(name)
    _spare_names.append(name)  # after an error something may still go by it


def remove_temporaries(folder: Path) -> None:
    """Remove what a writer that was killed left in the folder, durably. Only for folders to which nobody writes in the meantime."""
    with told("remove temporary files", folder):
        left = list(folder.glob(_TEMPORARY.format("*")))
        for path in left:
            _unlink_tree(path)
    if left:
        sync_folder(folder)


def _closed(path: str, flags: int) -> int:
    """Open a new file that is nobody else's from its first instant, whatever the umask of the process."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def replacing(path: Path, mode: int = FILE_MODE) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` at the end of the block: a reader sees the old file or the whole new one, never a part.

    When the block raises, all is as before.
    """
    with temporary_beside(path) as temporary:
        try:
            with told("write", path):
                tell("create", temporary)
                with open(temporary, "x+b", opener=_closed) as handle:
                    os.fchmod(handle.fileno(), mode)
                    yield handle
                    handle.flush()
                    fsync(handle.fileno(), temporary, named=path)  # before the rename: the name must never stand for half a file
                tell("rename", temporary, path)
                temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # what happened first is what is told
                tell("unlink", temporary)
                temporary.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Replace `path` with `data`, atomically and durably."""
    with replacing(path, mode) as handle:
        handle.write(data)


def append(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Add `data` to the end of a file and sync it; the file is created when missing."""
    with told("append to", path):
        tell("append", path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            fsync(descriptor, path)
            is_new = os.fstat(descriptor).st_size == len(data)
        finally:
            os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


@contextlib.contextmanager
def appending(path: Path, mode: int = FILE_MODE) -> Iterator[IO[bytes]]:
    """A file that grows for the block, unbuffered; it is created when missing, and what was written stays however the block ends.

    Use it where every byte counts by itself, as those of a download: the file is synced at the end, and named from the beginning.
    """
    with told("append to", path):
        tell("append", path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "ab", buffering=0) as handle:
            if os.fstat(descriptor).st_size == 0:
                os.fchmod(descriptor, mode)  # the umask must not decide who may read it
            sync_folder(path.parent)
            try:
                yield handle
            finally:
                fsync(handle.fileno(), path)


def hand_over(folder: Path, like: Path) -> None:
    """Give a folder and the files in it to the owner of `like`: what root makes among another user's files is for that user.

    Whoever is not root keeps what they made.
    """
    if os.geteuid() != 0:
        return
    with told("give away", folder):
        owner = like.stat()
        tell("chown", folder)
        descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for name in os.listdir(descriptor):  # noqa: PTH208 - by descriptor: by name it could be another folder by now
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=descriptor, follow_symlinks=False)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        finally:
            os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Move a name within one file system, durably, replacing what `target` named.

    Raises OSError with errno EXDEV when the two are on different mounts, StorageError otherwise.
    """
    try:
        tell("rename", source, target)
        source.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise
        with told("move", source):
            raise
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def rename_new(source: Path, target: Path) -> None:
    """Move a file's or link's name within one file system, durably, never over another: raises FileExistsError when `target` exists.

    On file systems with hard links the name appears in both places for an instant, so that no crash can lose it. Without them a file that
    takes the name in the same instant would be replaced.
    """
    try:
        tell("link", source, target)
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            with told("move", source):
                raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        rename(source, target)
    else:
        sync_folder(target.parent)
        remove(source)


def share(source: Path, target: Path) -> None:
    """Give a file a second name within one file system, durably; where there are no hard links, move it. `target` must not exist."""
    with told("move", source):
        try:
            tell("link", source, target)
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            rename(source, target)
        else:
            sync_folder(target.parent)


def link(target: Path, name: Path) -> None:
    """Make `name` a symbolic link to `target`, durably."""
    with told("make the link", name):
        tell("symlink", target, name)
        name.symlink_to(target)
    sync_folder(name.parent)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. A link is not followed. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def copy(source: Path | int, target: Path, mode: int = FILE_MODE) -> str:
    """Copy a regular file's bytes, durably, and return their SHA-256 as read back from the copy. `source` may be open already.

    Raises StorageError when what arrived is not what was read.
    """
    digest = hashlib.sha256()
    with replacing(target, mode) as handle:
        descriptor = source if isinstance(source, int) else os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", closefd=descriptor != source) as reader:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                handle.write(chunk)
    with told("read back", target):
        arrived = sha256_of(target)
    if arrived != digest.hexdigest():
        raise StorageError("The copy differs from the original.", file=str(target))
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a link, durably; one that is gone already is fine."""
    with told("remove", path):
        tell("unlink", path)
        path.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all it holds, durably; links inside are removed, not followed.

    It loses its name first: whenever we are ended, it is there whole, or gone but for what `remove_temporaries` finds.
    """
    if folder.exists():
        with temporary_beside(folder) as aside:
            with told("remove", folder):
                tell("rename", folder, aside)
                folder.rename(aside)
            sync_folder(folder.parent)
            with told("remove", folder):
                _unlink_tree(aside)
        sync_folder(folder.parent)


def _unlink_tree(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inside in path.iterdir():
            _unlink_tree(inside)
        tell("rmdir", path)
        path.rmdir()
    else:
        tell("unlink", path)
        path.unlink(missing_ok=True)


def remove_if_empty(folder: Path) -> bool:
    """Remove a folder in which nothing is, durably; tells whether it is gone."""
    try:
        tell("rmdir", folder)
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    sync_folder(folder.parent)
    return True


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written to the file system of `folder`."""
    with told("ask for the room", folder):
        return shutil.disk_usage(folder).free


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold an exclusive `flock` on `path` for the block; yields False at once when another process has it."""
    with told("open", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
