"""From the inbox into the job's own folder: only from then on is a recording ours.

A claim is a rename of the name in the inbox, so it never opens or follows what lies there, and at every instant the recording is in exactly
one place. `job.json` is durable before the rename: a recording in a work folder always has a job that recovery can take up.
From another mount the name is first moved to `.trax/<job>` within the inbox, then copied, compared and only then removed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from loguru import logger

from trax import files
from trax.errors import DiskFull, JobError, StorageError
from trax.intake.beneath import opened, regular_file
from trax.intake.names import printable
from trax.intake.scan import sight, sighting_of
from trax.intake.settle import Sighting
from trax.intake.writers import has_writer
from trax.jobs.folders import SOURCE_FILE, StateFolders, read_job, subfolders, write_job
from trax.jobs.job import Job
from trax.jobs.outputs import SIDE_FOLDER

#: A folder that was copied or moved in whole keeps its mode, in which as a rule nobody but its owner may take anything out.
_LET_GROUP_WRITE = "Let the group trax write to its folder (chgrp -R trax FOLDER; chmod -R g+rwX FOLDER): then Trax takes it by itself."

#: Bytes of a name on Linux file systems.
_LONGEST_NAME = 255


def claim(inbox: Path, sighting: Sighting, job: Job, folders: StateFolders) -> Path | None:
    """Take the recording `job.source_name` out of the inbox and return the job's work folder.

    None when it is not, or no longer, what was sighted, when someone still writes to it, or when the job's id is taken: then it is in the
    inbox and has to settle anew. Raises StorageError: then it is in the inbox, or recovery will find it.
    """
    relative = PurePosixPath(job.source_name)
    try:
        with opened(inbox, relative.parent) as parent:
            return _claim(parent / relative.name, sighting, job, folders, inbox)
    except StorageError as error:
        error.file = printable(job.source_name)
        raise
    except OSError as error:
        # Its subfolder was removed, renamed or replaced by a link meanwhile.
        logger.debug("{!r} cannot be reached: {}", printable(job.source_name), error.strerror)
        return None


def finish_claims(inbox: Path, folders: StateFolders) -> None:
    """Finish, at start and before anything else, the claims and returns that a crash or a failing disk interrupted. Raises StorageError."""
    for folder in subfolders(folders.work):
        source, side = folder / SOURCE_FILE, inbox / SIDE_FOLDER / folder.name
        here, aside = sight(source), sight(side)
        if _is_also_in_inbox(folder, inbox, aside or here):
            if aside is not None:
                files.remove(side)
            files.remove_tree(folder)
        elif aside is not None and (here is None or here.is_regular):
            with _side_folder(inbox) as among:
                try:
                    is_here = _bring_over(among / side.name, source, aside, inbox)
                except DiskFull as error:
                    logger.warning("goes back to the inbox until there is room: {}", error)
                    is_here = False
                if not is_here:
                    _put_back(among / side.name, inbox / read_job(folder).source_name, inbox)


def _claim(path: Path, sighting: Sighting, job: Job, folders: StateFolders, inbox: Path) -> Path | None:
    if not _is_at_rest(path, sighting) or folders.find(job.id) is not None:
        return None
    folder = folders.work / job.id
    source = folder / SOURCE_FILE
    files.make_folder(folder)
    try:
        write_job(folder, job)
        is_taken = _take(path, source, sighting, inbox)
    except BaseException:
        if sight(source) is None and sight(inbox / SIDE_FOLDER / job.id) is None:
            files.remove_tree(folder)
        raise
    if is_taken:
        return folder
    files.remove_tree(folder)
    return None


def _is_at_rest(path: Path, sighting: Sighting) -> bool:
    found = sight(path)
    return found is not None and found.is_same(sighting) and not (found.is_regular and has_writer(path))


def _take(path: Path, source: Path, sighting: Sighting, inbox: Path) -> bool:
    """Move to `source`; False when it was gone, or had changed and is back in the inbox."""
    try:
        if not _rename(path, source):
            return False
    except OSError:  # another mount
        return _take_across(path, source, sighting, inbox)
    # It may have changed between the look and the rename; from the rename on nobody reaches it by its name.
    if _is_at_rest(source, sighting):
        return True
    _put_back(source, path, inbox)
    return False


def _take_across(path: Path, source: Path, sighting: Sighting, inbox: Path) -> bool:
    with _side_folder(inbox) as aside:
        side = aside / source.parent.name
        if not _rename(path, side):
            return False
        try:
            if _is_at_rest(side, sighting) and _bring_over(side, source, sighting, inbox):
                return True
        except StorageError:
            if sight(source) is None:  # no room for the copy, say: it waits where it was dropped
                _put_back(side, path, inbox)
            raise
        _put_back(side, path, inbox)
        return False


def _rename(path: Path, target: Path) -> bool:
    """False when it is gone. Raises StorageError; OSError when the two are on different mounts."""
    try:
        files.rename(path, target)
    except StorageError as error:
        if sight(path) is None:
            return False
        if isinstance(error.__cause__, PermissionError):
            error.advice = _LET_GROUP_WRITE
        raise
    return True


@contextlib.contextmanager
def _side_folder(inbox: Path) -> Iterator[Path]:
    """The open `.trax` of an inbox, made when missing. Someone may have put a link there, which would lead out of the inbox: it goes."""
    folder = inbox / SIDE_FOLDER
    if folder.is_symlink():
        files.remove(folder)
    files.make_folder(folder)
    with opened(inbox, PurePosixPath(SIDE_FOLDER)) as path:
        yield path


def _put_back(moved: Path, path: Path, inbox: Path) -> None:
    """Return a file to its name in the inbox, or to one beside it when that is taken; when its folder is gone, to the inbox itself."""
    try:
        _put_beside(moved, path)
    except StorageError:
        _put_beside(moved, inbox / path.name)


def _put_beside(moved: Path, path: Path) -> None:
    for name in _names_beside(path):
        with contextlib.suppress(FileExistsError):
            files.rename_new(moved, name)
            return


def _names_beside(path: Path) -> Iterator[Path]:
    stem, extension = os.path.splitext(path.name)  # noqa: PTH122 - Path.stem takes a name such as "a." apart differently
    yield path
    for number in itertools.count(2):
        ending = f" ({number}){extension}"
        room = _LONGEST_NAME - len(os.fsencode(ending))
        yield path.with_name(os.fsdecode(os.fsencode(stem)[: max(room, 1)]) + ending)


def _is_also_in_inbox(folder: Path, inbox: Path, taken: Sighting | None) -> bool:
    """Whether a crash came upon `_put_back` when the file had its name in the inbox again and still the one it was taken to."""
    if taken is None:
        return False
    try:
        job = read_job(folder)
    except JobError:
        return False
    for name in _names_beside(inbox / job.source_name):
        found = sight(name)
        if found is None or (found.inode, found.device) == (taken.inode, taken.device):
            return found is not None
    return False


def _bring_over(side: Path, source: Path, sighting: Sighting, inbox: Path) -> bool:
    """Move from the inbox's mount to ours; False, and nothing is here, when it is not what was sighted or changes while it is copied.

    What may not be read, or is no file of its own, waits there: a link stands for it and is refused like it.
    """
    with contextlib.suppress(PermissionError), regular_file(side) as descriptor:
        if descriptor is not None:
            # the descriptor is what counts: a name may lead to another file by now
            is_same = sighting_of(os.fstat(descriptor)).is_same(sighting)
            if is_same:
                files.copy(descriptor, source)
                is_same = _is_at_rest(side, sighting)
            if is_same:
                files.remove(side)
            else:
                files.remove(source)
            return is_same
    files.link(inbox / SIDE_FOLDER / side.name, source)
    return True
