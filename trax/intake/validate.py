"""Is what was claimed a recording? Asked through one descriptor, so that what was checked is what is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from trax import disk
from trax.config import Intake
from trax.errors import EmptyRecording, RecordingTooLarge, StorageError, UnreadableRecording, UnsupportedRecording
from trax.intake.beneath import regular_file
from trax.intake.names import extension_of, printable
from trax.intake.scan import sight, sighting_of
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
    _check_kind(path, name, is_ours=is_ours)
    _check_extension(source_name, settings, name)
    if has_writer(path):
        return None
    try:
        with regular_file(path, may_have_names=not is_ours) as descriptor:
            if descriptor is None:
                raise UnreadableRecording("This is not a regular file of its own.", file=name)
            return _validate(descriptor, path, settings, name, is_ours=is_ours)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOENT, errno.ENXIO}:
            raise UnreadableRecording(f"The recording may not be opened: {error.strerror}.", file=name) from error
        raise StorageError(f"The recording cannot be read: {error.strerror}.", file=name) from error


def _validate(descriptor: int, path: Path, settings: Intake, name: str, *, is_ours: bool) -> Validated | None:
    if is_ours:
        # Whoever dropped it did not: what is known by its hash must not be lost to a power cut. Before the hash is taken, for what is
        # written to a mapping changes the time of the file only where the page was clean.
        disk.sync(descriptor, path)
    before = os.fstat(descriptor)
    _check(before, settings, name)
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, _CHUNK):
        digest.update(chunk)
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return Validated(after.st_size, digest.hexdigest(), after.st_mtime_ns)


def is_as_validated(folder: Path, job: Job) -> bool:
    """Whether the recording is still what its `media_id` was taken of. Ask before publishing: a copy may go on after the longest pause."""
    found = sight(folder / SOURCE_FILE)
    return found is not None and found.is_regular and (found.size, found.modified) == (job.size, job.modified)


def _check_kind(path: Path, name: str, *, is_ours: bool) -> None:
    try:
        found = sighting_of(path.lstat())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableRecording("The recording is not where it was put.", file=name, advice="Drop it again.") from error
    except OSError as error:  # it says nothing of the recording, but of the way to it
        raise StorageError(f"The recording cannot be looked at: {error.strerror}.", file=name) from error
    if not found.is_regular:
        raise UnreadableRecording(f"This is not a recording but {_KINDS.get(stat.S_IFMT(found.mode), 'a special file')}.", file=name)
    if is_ours and found.links > 1:
        raise UnreadableRecording("The file has further names elsewhere (hard links).", file=name, advice="Drop a copy of it.")


def _check_extension(source_name: str, settings: Intake, name: str) -> None:
    extension = extension_of(source_name)
    if extension not in settings.formats:
        what = f"The extension {printable(extension)} is not among those taken" if extension else "The file has no extension"
        raise UnsupportedRecording(
            f"{what}: {' '.join(settings.formats)}.", file=name, advice="Convert the recording to one of these formats and drop it again."
        )


def _check(found: os.stat_result, settings: Intake, name: str) -> None:
    if found.st_size == 0:
        raise EmptyRecording("The file is empty.", file=name)
    if found.st_size > settings.max_size_mb * _MEGABYTE:
        raise RecordingTooLarge(
            f"The file has {found.st_size / _MEGABYTE:.1f} MB; at most {settings.max_size_mb:g} MB are taken.",
            file=name,
            advice="Split the recording, or raise intake.max_size_mb in the settings and `trax-ctl retry` the job.",
        )
