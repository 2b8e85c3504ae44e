"""Recordings that went on after they were answered are taken again, whole.

Where the kernel tells who writes (`intake.writers`), a copy that pauses is waited for. On a share, or for what another machine writes,
it may be taken for done: then its half is answered, and what comes later is written to the file that Trax set aside.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from trax.errors import StorageError
from trax.intake.scan import sight
from trax.jobs.folders import SOURCE_FILE, StateFolders, file_away
from trax.jobs.job import Job, reopen
from trax.jobs.ledger import Ledger
from trax.log import about

#: For so long after an answer the recording is looked at, seconds.
_LOOKED_AT_SECONDS = 86_400.0


def went_on(answered: Iterable[Job], folders: StateFolders, now: float) -> list[Job]:
    """Those of the failed and completed jobs whose recording is another by now."""
    return [job for job in answered if now - (job.finished or 0.0) < _LOOKED_AT_SECONDS and _went_on(job, folders, now)]


def _went_on(job: Job, folders: StateFolders, now: float) -> bool:
    folder = folders.find(job.id)
    if folder is None or folder.parent == folders.work:  # in work: its answer is still owed
        return False
    found = sight(folder / SOURCE_FILE)
    if found is None or not found.is_regular:
        return False
    if job.modified is not None:
        return (found.size, found.modified) != (job.size, job.modified)
    # It did not pass validation, so it is not known what it was like.
    return (job.finished or 0.0) < found.modified / 1e9 <= now


def retake(job: Job, ledger: Ledger, folders: StateFolders, now: float) -> None:
    """Begin anew with a job of `went_on`; its answer is replaced when there is another. What the disk refuses is tried again later."""
    with about(job.id):
        again = reopen(job, now)
        try:
            ledger.put(again)  # first: when we are ended before the move, recovery brings the folder to where the ledger says
            file_away(folders, again)
        except StorageError as error:
            logger.error("the recording went on after it was answered and cannot be taken again yet: {}", error)
        else:
            logger.warning("the recording went on after it was answered: it is taken again, whole")
