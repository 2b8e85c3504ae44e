"""At start: what a crash, a power cut or a person left behind is brought to one story before anything else happens."""

from __future__ import annotations

import time
from dataclasses import replace

from loguru import logger

from trax import errors, files
from trax.config import Settings
from trax.intake.claim import finish_claims
from trax.jobs.folders import StateFolders, subfolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import SIDE_FOLDER, WORK_LOCK
from trax.jobs.recovery import reconcile
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import artefacts
from trax.pipeline.publish import is_published, read_manifest
from trax.pipeline.stages import STAGES
from trax.service.working import Workshop, run_of


def recover(settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, workshop: Workshop) -> None:
    """Finish interrupted claims, reconcile ledger, folders and outbox, and rebuild what can be rebuilt. Raises StorageError."""
    for path in ledger.damaged:
        logger.error("a damaged file of the ledger was set aside: {}", path)
    for folder in (folders.ledger, folders.work, folders.archive, folders.quarantine, folders.requests):
        files.remove_temporaries(folder)
    finish_claims(settings.inbox_folder, folders)
    if seen.needs_rebuild:
        completed = [job for job in ledger.everything() if job.status is Status.COMPLETED]
        completed.sort(key=lambda job: (job.finished or 0.0, job.id))
        seen.rebuild((job.media_id, job.id) for job in completed)

    def published(job: Job) -> bool:
        folder = folders.find(job.id)
        return folder is not None and is_published(settings.outbox_folder, folder, run_of(job))

    def progressed(job: Job) -> bool:
        # The artefacts of a duplicate are copied at each start: they tell nothing of this run.
        folder = folders.find(job.id) if job.duplicate_of is None else None
        return folder is not None and artefacts.made_since(folder, STAGES, job.started or 0.0)

    def answered(job: Job) -> Job:
        if job.status is Status.FAILED:
            with about(job.id):
                return replace(job, output_name=workshop.answer_failure(job, errors.from_dict(dict(job.error or {}))))
        folder = folders.find(job.id)
        return job if folder is None else replace(job, output_name=read_manifest(folder).name or job.output_name)

    touched = reconcile(
        ledger,
        folders,
        is_published=published,
        has_progressed=progressed,
        answered=answered,
        put_away=workshop.put_away,
        now=time.time(),
        policy=settings.retries,
    )
    _remove_staging(settings)
    for job in touched:
        with about(job.id):
            logger.info("recovered as {}", job.status.value)


def _remove_staging(settings: Settings) -> None:
    """Outputs that were never renamed into place: their jobs write them again. What a `trax-ctl transcribe` works on is left to it."""
    staging = settings.outbox_folder / SIDE_FOLDER
    if not staging.is_dir():
        return
    files.remove_temporaries(staging)
    for folder in subfolders(staging):
        try:
            with files.locked(folder / WORK_LOCK) as is_free:
                if is_free:
                    files.remove_tree(folder)
        except StorageError as error:  # another user's, who may have been killed: no reason not to start
            logger.warning("a work folder in the outbox stays: {}", error)
