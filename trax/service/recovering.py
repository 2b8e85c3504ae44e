"""At start: what a crash, a power cut or a person left behind is brought to one story before anything else happens."""

from __future__ import annotations

import time
from itertools import islice

from loguru import logger

from trax import files
from trax.config import Settings
from trax.errors import StorageError
from trax.intake.claim import finish_claims
from trax.jobs.folders import StateFolders, subfolders
from trax.jobs.job import Job, Status
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
    finish_claims(settings.inbox_folder, folders)
    if seen.needs_rebuild:
        _rebuild(seen, ledger)

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
    if _is_cut(seen, ledger):
        _rebuild(seen, ledger)
    _remove_staging(settings)
    for job in touched:
        with about(job.id):
            logger.info("recovered as {}", job.status.value)


def _is_cut(seen: Seen, ledger: Ledger) -> bool:
    """Whether `seen.log` lacks its end. Cut where a line ends it looks whole, but its last lines are of the jobs completed last."""
    live = ledger.by_status(Status.COMPLETED)
    archived = (job for job in ledger.everything() if job.status is Status.COMPLETED and job not in live)
    return any(seen.find(job.media_id) is None for job in (*live, *islice(archived, 1)))


def _rebuild(seen: Seen, ledger: Ledger) -> None:
    """Write `seen.log` anew: what the ledger knows, and what is still good of the old one, which may know jobs of a lost archive."""
    if kept := seen.set_beside():
        logger.error("a damaged file of the ledger is kept and was made anew: {}", kept)
    completed = [job for job in ledger.everything() if job.status is Status.COMPLETED]
    completed.sort(key=lambda job: (job.finished or 0.0, job.id))
    media = {job.media_id for job in completed}
    others = [(media_id, job_id) for media_id, job_id in seen.known().items() if media_id not in media]
    seen.rebuild([*others, *((job.media_id, job.id) for job in completed)])  # the newest last: see `_is_cut`


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
