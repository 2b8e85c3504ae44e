"""Is what was claimed a recording? Asked through one descriptor, so that what was checked is what is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from trax.config import Intake
from trax.errors import EmptyRecording, RecordingTooLarge, StorageError, UnreadableRecording, UnsupportedRecording
from trax.intake.names import extension_of, printable
from trax.intake.scan import sight
from trax.intake.writers import has_writer
from trax.jobs.folders import SOURCE_FILE
from trax.jobs.job import Job

_MEGABYTE = 1_000_000
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True, slots=True)
class Validated:
    """A recording's size in bytes, the SHA-256 of them in hex, and its mtime in nanoseconds: what `jobs.job.accept` asks for."""

    size: int
    media_id: str
    modified: int


def validate(path: Path, source_name: str, settings: Intake, *, is_ours: bool = True) -> Validated | None:
    """Check and hash a recording; None when it changes while it is read: ask again once it may have come to rest.

    `source_name` is what it was called when it was dropped. One that `is_ours` (claimed) must have no further names, by which others
    could reach it; a file that stays where its owner keeps it may.

    Raises UnreadableRecording, UnsupportedRecording, EmptyRecording or RecordingTooLarge; StorageError when the disk fails.
    """
    name = printable(source_name)
    _check_kind(path, name)
    _check_extension(source_name, settings, name)
    if has_writer(path):
        return None
    descriptor = _open(path, name)
    with os.fdopen(descriptor, "rb", buffering=0) as handle:
        before = os.fstat(descriptor)
        _check(before, settings, name)
        if is_ours and before.st_nlink > 1:
            raise UnreadableRecording("The file has further names elsewhere (hard links).", file=name, advice="Drop a copy of it.")
        digest = hashlib.sha256()
        try:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
        except OSError as error:
            raise StorageError(f"The recording cannot be read: {error.strerror}.", file=name) from error
        after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return Validated(after.st_size, digest.hexdigest(), after.st_mtime_ns)


def is_as_validated(folder: Path, job: Job) -> bool:
    """Whether the recording is still what its `media_id` was taken of. Ask before publishing: a copy may go on after the longest pause."""
    found = sight(folder / SOURCE_FILE)
    return found is not None and found.is_regular and (found.size, found.modified) == (job.size, job.modified)


def _check_kind(path: Path, name: str) -> None:
    # Before opening: to open a device or a pipe can already do something. Nobody but us can swap what lies in the job's folder.
    found = sight(path)
    if found is None:
        raise UnreadableRecording("The recording is not where it was put.", file=name, advice="Drop it again.")
    if not found.is_regular:
        raise UnreadableRecording(f"This is not a recording but {_KINDS.get(stat.S_IFMT(found.mode), 'a special file')}.", file=name)


def _check_extension(source_name: str, settings: Intake, name: str) -> None:
    extension = extension_of(source_name)
    if extension not in settings.formats:
        what = f"The extension {printable(extension)} is not among those taken" if extension else "The file has no extension"
        raise UnsupportedRecording(
            f"{what}: {' '.join(settings.formats)}.", file=name, advice="Convert the recording to one of these formats and drop it again."
        )


def _open(path: Path, name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOENT, errno.ENXIO}:
            raise UnreadableRecording(f"The recording may not be opened: {error.strerror}.", file=name) from error
        raise StorageError(f"The recording cannot be opened: {error.strerror}.", file=name) from error


def _check(found: os.stat_result, settings: Intake, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableRecording("This is not a regular file.", file=name)
    if found.st_size == 0:
        raise EmptyRecording("The file is empty.", file=name)
    if found.st_size > settings.max_size_mb * _MEGABYTE:
        raise RecordingTooLarge(
            f"The file has {found.st_size / _MEGABYTE:.1f} MB; at most {settings.max_size_mb:g} MB are taken.",
            file=name,
            advice="Split the recording, or raise intake.max_size_mb in the settings and `trax-ctl retry` the job.",
        )
