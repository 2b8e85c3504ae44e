"""At start: what a crash, a power cut or a person left behind is brought to one story before anything else happens."""

from __future__ import annotations

import time
from dataclasses import replace

from loguru import logger

from trax import errors, files
from trax.config import Settings
from trax.intake.claim import finish_claims
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import SIDE_FOLDER
from trax.jobs.recovery import reconcile
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import artefacts
from trax.pipeline.publish import Manifest, is_published, read_manifest
from trax.pipeline.stages import STAGES
from trax.service.working import Workshop, run_of


def recover(settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, workshop: Workshop) -> None:
    """Finish interrupted claims, reconcile ledger, folders and outbox, and rebuild what can be rebuilt. Raises StorageError."""
    for path in ledger.damaged:
        logger.error("a damaged file of the ledger was set aside: {}", path)
    files.remove_temporaries(folders.ledger)
    finish_claims(settings.inbox_folder, folders)

    def published(job: Job) -> bool:
        folder = folders.find(job.id)
        return folder is not None and is_published(settings.outbox_folder, folder, run_of(job))

    def progressed(job: Job) -> bool:
        # The artefacts of a duplicate are copied at each start: they tell nothing of this run.
        folder = folders.find(job.id) if job.duplicate_of is None else None
        return folder is not None and artefacts.made_since(folder, STAGES, job.started or 0.0)

    def answer_failure(job: Job) -> None:
        with about(job.id):
            workshop.answer_failure(job, errors.from_dict(dict(job.error or {})))

    touched = reconcile(
        ledger,
        folders,
        is_published=published,
        has_progressed=progressed,
        answer_failure=answer_failure,
        now=time.time(),
        policy=settings.retries,
    )
    _remove_staging(settings)
    if seen.needs_rebuild:
        completed = [job for job in ledger.everything() if job.status is Status.COMPLETED]
        completed.sort(key=lambda job: (job.finished or 0.0, job.id))
        seen.rebuild((job.media_id, job.id) for job in completed)
    for job in touched:
        with about(job.id):
            logger.info("recovered as {}", job.status.value)
            if job.is_finished:
                _finish(job, folders, ledger, workshop)


def _finish(job: Job, folders: StateFolders, ledger: Ledger, workshop: Workshop) -> None:
    """What Trax was ended before, between the answer in the outbox and the end of the job's work."""
    folder = folders.find(job.id)
    manifest = read_manifest(folder) if folder is not None else Manifest()
    if manifest.run == run_of(job) and manifest.name not in ("", job.output_name):
        job = replace(job, output_name=manifest.name)  # the name that was free when the answer was written
        ledger.put(job)
    workshop.put_away(job)


def _remove_staging(settings: Settings) -> None:
    """Outputs that were never renamed into place: their jobs write them again."""
    staging = settings.outbox_folder / SIDE_FOLDER
    if staging.is_dir():
        files.remove_tree(staging)
