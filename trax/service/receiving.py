"""From the inbox to the queue: takes in what has settled, looks at it through its own descriptor, and remembers it."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace

from loguru import logger

from trax.config import Settings
from trax.errors import RecordingError, StorageError, TraxError
from trax.intake.claim import claim
from trax.intake.inbox import Inbox
from trax.intake.names import output_name, printable, unique
from trax.intake.settle import Sighting
from trax.intake.validate import Validated, validate
from trax.jobs import job as jobs
from trax.jobs.folders import SOURCE_FILE, StateFolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import is_in_outbox
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline.stages import snapshot_of
from trax.service.working import Workshop


class Receiver:
    """The inbox, and what is done with a recording until it is queued."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, workshop: Workshop) -> None:
        self._settings = settings
        self._folders = folders
        self._ledger = ledger
        self._seen = seen
        self._workshop = workshop
        self._inbox = Inbox(settings.inbox_folder, settings.intake.settle_seconds)

    def touch(self, names: set[str]) -> None:
        """Events told of these files (paths relative to the inbox)."""
        self._inbox.touch(names)

    async def look(self) -> float:
        """Take in whatever has settled; returns the seconds until another look may find more. Raises StorageError from the ledger."""
        rest = self._settings.intake.rescan_seconds
        for job in self._ledger.by_status(Status.CLAIMED):
            with about(job.id):
                await self.examine(job.id)
        settled = await asyncio.to_thread(self._inbox.look, time.monotonic())
        for name, sighting in settled.items():
            await self._take_in(name, sighting)
        if self._ledger.by_status(Status.CLAIMED):
            rest = min(rest, self._settings.intake.settle_seconds)
        upcoming = self._inbox.next_look()
        return rest if upcoming is None else min(rest, max(0.05, upcoming - time.monotonic()))

    async def _take_in(self, name: str, sighting: Sighting) -> None:
        now = time.time()
        plain, digest, stages = snapshot_of(self._settings)
        job = Job(
            id=jobs.new_job_id(now, secrets.randbits(24)),
            source_name=name,
            output_name=self._free_name(output_name(name)),
            stages=stages,
            settings=plain,
            settings_hash=digest,
            created=now,
            changed=now,
        )
        try:
            folder = await asyncio.to_thread(claim, self._settings.inbox_folder, sighting, job, self._folders)
        except StorageError as error:
            self._inbox.refuse(name, str(error))
            return
        if folder is None:
            self._inbox.unsettle(name)
            return
        with about(job.id):
            logger.info("claimed {} ({} bytes)", printable(name), sighting.size)
            self._ledger.put(job)
            await self.examine(job.id)

    def _free_name(self, wanted: str) -> str:
        taken = self._ledger.taken_names()
        return unique(wanted, lambda name: name in taken or is_in_outbox(self._settings.outbox_folder, name))

    async def examine(self, job_id: str) -> None:
        """Validate a claimed recording and queue it, as a duplicate where it was done before; answer one that does not pass.

        One that still changes is looked at again later.
        """
        if (job := self._claimed(job_id)) is None:
            return
        found: Validated | TraxError | None
        try:
            found = await asyncio.to_thread(validate, self._folders.work / job.id / SOURCE_FILE, job.source_name, self._settings.intake)
        except (RecordingError, StorageError) as error:
            found = error
        if (job := self._claimed(job_id)) is None:
            return
        if isinstance(found, TraxError):
            self._workshop.refuse(job, found)
            return
        if found is None:
            logger.info("still changing: looked at again later")
            return
        twin = self._twin(found.media_id, job.id)
        queued = jobs.accept(job, media_id=found.media_id, size=found.size, modified=found.modified, now=time.time())
        self._ledger.put(replace(queued, duplicate_of=twin))
        if twin:
            logger.info("the same recording as job {}", twin)
        self._workshop.wake.set()

    def _claimed(self, job_id: str) -> Job | None:
        """The job as it is now, unless it was cancelled while we looked elsewhere."""
        job = self._ledger.get(job_id)
        return job if job is not None and job.status is Status.CLAIMED else None

    def _twin(self, sha256: str, job_id: str) -> str | None:
        """The earlier job over the same bytes: one under way, else the last that was completed."""
        under_way = self._ledger.by_status(Status.QUEUED, Status.RUNNING)
        unfinished = next((each.id for each in under_way if each.media_id == sha256 and each.id != job_id), None)
        done = self._seen.find(sha256)
        return unfinished or (done if done != job_id else None)
