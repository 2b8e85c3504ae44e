"""How jobs end: outputs and answers into the outbox, recordings to where they belong.

A finished job whose folder is still in `work` has something left to be done about it, and that is the whole memory of it: it outlives
a restart. What the disk or the outbox refuses is tried again until it is done, so an outbox that is full, read-only or not mounted
gets its answers later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loguru import logger

from trax import errors, files
from trax.config import Settings
from trax.errors import Cancelled, StorageError, TraxError
from trax.intake.names import unique
from trax.jobs.folders import StateFolders, file_away
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import answer, artefacts, former
from trax.pipeline.publish import Manifest, Staged, publish, read_manifest, stage
from trax.pipeline.runner import Products
from trax.pipeline.stages import STAGES


class Endings:
    """Publishes, and does what remains about jobs that the ledger knows to be finished. `owed`: job id → why that could not be done yet."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen) -> None:
        self.owed: dict[str, str] = {}
        self._outbox = settings.outbox_folder
        self._folders = folders
        self._ledger = ledger
        self._seen = seen

    def stage(self, job: Job, products: Products) -> Staged:
        """Write the outputs of a job where a rename publishes them. Raises StorageError; WorkerError or TranscriptError for nonsense."""
        transcript = answer.transcript_of(
            products,
            job=job.id,
            name=job.source_name,
            sha256=job.media_id,
            size=job.size or 0,
            settings=job.settings,
            settings_hash=job.settings_hash,
            run={"attempts": job.attempts, "dropped": job.created, "started": job.started, "duplicate_of": job.duplicate_of},
        )
        return stage(self._outbox, job.id, answer.outputs_of(transcript, job.settings))

    def publish(self, job: Job, staged: Staged) -> Manifest:
        """Put the staged outputs of this run of the job into the outbox, under its name or the next that is free. Raises StorageError."""
        folder = self._folder(job)
        if job.standing is not None and job.standing.is_kept:
            former.keep(self._outbox, folder, f"{job.standing.started}")
        return publish(self._outbox, folder, run_of(job), staged, lambda taken: self._name(job, taken))

    def _folder(self, job: Job) -> Path:
        return self._folders.find(job.id) or self._folders.work / job.id

    def _name(self, job: Job, taken: Callable[[str], bool]) -> str:
        others = {each.output_name for each in self._ledger.live() if each.status is not Status.COMPLETED and each.id != job.id}
        return unique(job.output_name, lambda name: name in others or taken(name))

    def finish(self, job: Job) -> None:
        """Do what remains about a finished job: its answer when it has no result, then its recording. What is refused is owed."""
        with about(job.id):
            try:
                self._finish(job)
            except StorageError as error:
                if self.owed.get(job.id) != str(error):
                    logger.error("the job is over; what remains to be done about it waits: {}", error)
                self.owed[job.id] = str(error)
            else:
                if self.owed.pop(job.id, None):
                    logger.info("what remained to be done about the job is done")

    def again(self) -> None:
        """Try again what is owed."""
        for job_id in list(self.owed):
            job = self._ledger.get(job_id)
            if job is not None and job.is_finished:
                self.finish(job)
            else:
                del self.owed[job_id]  # it was taken up again, or purged

    def _finish(self, job: Job) -> None:
        folder = self._folder(job)
        if job.status is not Status.COMPLETED and folder.parent == self._folders.work:
            files.make_folder(folder)
            outputs = answer.error_outputs(_error_of(job), name=job.source_name, job=job.id)
            self.publish(job, stage(self._outbox, job.id, outputs))
        if job.status is Status.COMPLETED and former.is_any_kept(folder):
            self._stand_by(job, folder)
        manifest = read_manifest(folder)
        if manifest.run == run_of(job) and manifest.name not in ("", job.output_name):
            job = replace(job, output_name=manifest.name)  # the name that was free when it was published
            self._ledger.put(job)
        if job.status is Status.COMPLETED and self._seen.find(job.media_id) != job.id:
            self._seen.add(job.media_id, job.id)
        if job.status is not Status.FAILED and folder.is_dir():
            artefacts.drop_large(folder, STAGES)
        file_away(self._folders, job)

    def _stand_by(self, job: Job, folder: Path) -> None:
        """The answer that stands is the one in the outbox: where another had begun to take its place, it is published once more."""
        run = run_of(job)
        if read_manifest(folder).run != run and (outputs := former.outputs(folder, run)):
            self.publish(job, stage(self._outbox, job.id, outputs))
        former.drop(folder, run)


def run_of(job: Job) -> str:
    """What tells one run of a job from another."""
    return f"{job.started}"


def _error_of(job: Job) -> TraxError:
    return Cancelled("The job was cancelled.") if job.status is Status.CANCELLED else errors.from_dict(dict(job.error or {}))
