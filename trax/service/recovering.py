"""At start: what a crash, a power cut or a person left behind is brought to one story before anything else happens."""

from __future__ import annotations

import time

from loguru import logger

from trax import files
from trax.config import Settings
from trax.errors import StorageError
from trax.intake.claim import finish_claims
from trax.jobs import speakers
from trax.jobs.folders import StateFolders, subfolders
from trax.jobs.job import Job
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import SIDE_FOLDER, WORK_LOCK
from trax.jobs.recovery import reconcile
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import artefacts
from trax.pipeline.publish import is_published
from trax.pipeline.stages import STAGES
from trax.service.endings import run_of
from trax.service.working import Workshop


def recover(settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, workshop: Workshop) -> None:
    """Finish interrupted claims, reconcile ledger, folders and outbox, and rebuild what can be rebuilt. Raises StorageError."""
    for path in ledger.damaged:
        logger.error("a damaged file of the ledger is kept and not used: {}", path)
    for folder in (folders.ledger, folders.work, folders.archive, folders.quarantine, folders.requests):
        files.remove_temporaries(folder)
    with speakers.lock(folders.speakers) as is_free:  # else somebody is being enrolled, and cleans up after it
        for person in subfolders(folders.speakers) if is_free else ():
            files.remove_temporaries(person)
    finish_claims(settings.inbox_folder, folders)
    if seen.needs_rebuild:
        _mend(seen, ledger)

    def published(job: Job) -> bool:
        folder = folders.find(job.id)
        return folder is not None and is_published(settings.outbox_folder, folder, run_of(job))

    def progressed(job: Job) -> bool:
        # The artefacts of a duplicate are copied at each start: they tell nothing of this run.
        folder = folders.find(job.id) if job.duplicate_of is None else None
        return folder is not None and artefacts.made_since(folder, STAGES, job.started or 0.0)

    touched = reconcile(
        ledger,
        folders,
        is_published=published,
        has_progressed=progressed,
        finish=workshop.endings.finish,
        now=time.time(),
        policy=settings.retries,
    )
    _mend(seen, ledger)  # now that what was completed before Trax ended is in it
    _remove_staging(settings)
    for job in touched:
        with about(job.id):
            logger.info("recovered as {}", job.status.value)


def _mend(seen: Seen, ledger: Ledger) -> None:
    """Write `seen.log` anew when it does not say all: what the ledger knows, and what the old one still knows of jobs in a lost archive.

    Cut where a line ends the log looks whole, so it is compared.
    """
    completed = ledger.completed()
    if not seen.needs_rebuild and completed.keys() <= seen.known().keys():
        return
    if kept := seen.set_beside():
        logger.error("a damaged file of the ledger is kept and was made anew: {}", kept)
    seen.rebuild({**seen.known(), **completed}.items())


def _remove_staging(settings: Settings) -> None:
    """Outputs that were never renamed into place: their jobs write them again. What a `trax-ctl transcribe` works on is left to it."""
    staging = settings.outbox_folder / SIDE_FOLDER
    if not staging.is_dir():
        return
    try:
        files.remove_temporaries(staging)
    except StorageError as error:  # an outbox that is read-only for now
        logger.warning("what was staged in the outbox stays: {}", error)
    for folder in subfolders(staging):
        try:
            with files.locked(folder / WORK_LOCK) as is_free:
                if is_free:
                    files.remove_tree(folder)
        except StorageError as error:  # another user's, who may have been killed: no reason not to start
            logger.warning("a work folder in the outbox stays: {}", error)
