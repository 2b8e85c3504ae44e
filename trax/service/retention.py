"""What the archive has kept for longer than the settings say is removed."""

from __future__ import annotations

import contextlib

from loguru import logger

from trax import files
from trax.errors import JobError, StorageError
from trax.jobs.folders import StateFolders, read_job, subfolders
from trax.log import about


def remove_outdated(folders: StateFolders, days: float | None, now: float) -> None:
    """Remove the archived jobs that finished more than `days` before `now`; None keeps all. One that cannot be removed is left."""
    if days is None:
        return
    for folder in subfolders(folders.archive):
        with contextlib.suppress(JobError, StorageError):
            job = read_job(folder)
            if job.finished is not None and job.finished < now - days * 86_400:
                files.remove_tree(folder)
                with about(job.id):
                    logger.info("removed from the archive after {:g} days", days)
