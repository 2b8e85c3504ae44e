"""What the archive has kept for longer than the settings say is removed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from loguru import logger

from trax import files
from trax.errors import JobError, StorageError
from trax.jobs.folders import StateFolders, read_job, subfolders
from trax.log import about

_DAY = 86_400
#: How often the archive is looked through: ten times as often as jobs are kept for, within these bounds, seconds.
_LEAST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0


def pause(days: float) -> float:
    """Seconds between two looks through the archive."""
    return min(max(days * _DAY / 10, _LEAST_PAUSE), _LONGEST_PAUSE)


def outdated(folders: StateFolders, days: float, now: float) -> list[Path]:
    """The archived jobs that finished more than `days` before `now`. One that cannot be read is left: `doctor` tells of it."""
    found = []
    for folder in subfolders(folders.archive):
        with contextlib.suppress(JobError):
            job = read_job(folder)
            if job.finished is not None and job.finished < now - days * _DAY:
                found.append(folder)
    return found


def remove(folder: Path, days: float) -> None:
    """Remove an archived job. One that cannot be removed is left, and tried again at the next look."""
    with about(folder.name):
        try:
            files.remove_tree(folder)
        except StorageError as error:
            logger.warning("stays in the archive: {}", error)
        else:
            logger.info("removed from the archive after {:g} days", days)
