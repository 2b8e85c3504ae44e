"""From the inbox to the queue: takes in what has settled, looks at it through its own descriptor, and remembers it."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from dataclasses import replace

from loguru import logger

from trax.config import Settings
from trax.errors import DiskFull, JobError, RecordingError, StorageError
from trax.intake.claim import claim, finish_claims
from trax.intake.inbox import Inbox, Untaken
from trax.intake.names import output_name, printable, unique
from trax.intake.scan import sight
from trax.intake.settle import Sighting
from trax.intake.validate import Validated, validate
from trax.jobs import job as jobs
from trax.jobs.folders import SOURCE_FILE, StateFolders, read_job, subfolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import is_in_outbox
from trax.jobs.retry import delay
from trax.jobs.seen import Seen
from trax.languages import language_below
from trax.log import about
from trax.pipeline.snapshots import Kept, in_language, snapshot_of
from trax.service.heartbeat import ComesRound, seconds_for
from trax.service.room import Room, Waiting
from trax.service.threads import to_the_end
from trax.service.working import Workshop

#: What a scan of an inbox of many folders on a slow share may take, and claims that stopped half-way, seconds.
_SCAN_SECONDS, _CATCH_UP_SECONDS = 600.0, 3600.0


class Receiver:
    """The inbox, and what is done with a recording until it is queued."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, workshop: Workshop) -> None:
        self._settings = settings
        #: By language, None for that of the settings. Each is made once: hundreds of jobs that are remembered share it.
        self._snapshots: dict[str | None, Kept] = {None: snapshot_of(settings)}
        self._folders = folders
        self._ledger = ledger
        self._seen = seen
        self._workshop = workshop
        self._inbox = Inbox(settings.inbox_folder, settings.intake.settle_seconds)
        self._room = Room(settings, folders)
        #: What claimed jobs wait for that the ledger could not be told about yet.
        self.waiting: dict[str, Waiting] = {}
        #: How often in a row the disk kept us from reading a claimed recording: each wait is longer than the one before.
        self._unread: Counter[str] = Counter()
        #: Claims that stopped half-way or are not in the ledger yet: what the disk refused is done before the next look.
        self._behind: dict[str, StorageError] = {}

    def touch(self, names: set[str]) -> None:
        """Events told of these files (paths relative to the inbox)."""
        self._inbox.touch(names)

    async def look(self, comes_round: ComesRound) -> float:
        """Take in whatever has settled; returns the seconds until another look may find more. Raises DiskFailed and LedgerError."""
        rest = self._settings.intake.rescan_seconds
        if self._behind:
            comes_round(_CATCH_UP_SECONDS)
            await self._catch_up()
        for job in self._ledger.by_status(Status.CLAIMED):
            if (job.not_before or 0.0) > time.time():
                continue
            comes_round(seconds_for(self._settings.intake.max_size_mb * 1e6))
            with about(job.id):
                await self.examine(job.id)
        comes_round(_SCAN_SECONDS)
        settled = await asyncio.to_thread(self._inbox.look, time.monotonic())
        for name, sighting in settled.items():
            comes_round(3 * seconds_for(sighting.size))  # copied, read back, and validated
            await self._take_in(name, sighting)
        if self._behind or self._ledger.by_status(Status.CLAIMED):
            rest = min(rest, self._settings.intake.settle_seconds)
        upcoming = self._inbox.next_look()
        return rest if upcoming is None else min(rest, max(0.05, upcoming - time.monotonic()))

    def untaken(self) -> list[Untaken]:
        """What stays in the inbox or on the way out of it, and why."""
        half = [Untaken(name, f"It is not taken whole yet. {error.what}", error.advice) for name, error in self._behind.items()]
        return self._inbox.untaken() + half

    async def _catch_up(self) -> None:
        """Bring claims to their end and into the ledger, as recovery does at start."""
        try:
            await to_the_end(finish_claims, self._settings.inbox_folder, self._folders)
            for folder in subfolders(self._folders.work):
                if folder.name not in self._ledger and sight(folder / SOURCE_FILE) is not None:
                    self._ledger.put(read_job(folder))
        except (StorageError, JobError) as error:
            logger.debug("claims still wait: {}", error)
        else:
            self._behind.clear()

    async def _take_in(self, name: str, sighting: Sighting) -> None:
        now = time.time()
        plain, digest, stages = self._snapshot_for(name)
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
            if waiting := self._room.for_copy(sighting.size, sighting.device):
                raise DiskFull(f"It must be copied to another disk. It waits for {waiting}.", file=printable(name))
            folder = await asyncio.to_thread(claim, self._settings.inbox_folder, sighting, job, self._folders)
        except StorageError as error:
            self._inbox.refuse(name, error)
            if self._folders.find(job.id) is not None:
                self._behind[name] = error
            return
        if folder is None:
            self._inbox.unsettle(name)
            return
        with about(job.id):
            logger.info("claimed {} ({} bytes)", printable(name), sighting.size)
            try:
                self._ledger.put(job)
            except DiskFull as error:
                logger.warning("waits for room to be remembered: {}", error)
                self._behind[name] = error
            else:
                await self.examine(job.id)

    def _snapshot_for(self, name: str) -> Kept:
        language = language_below(name, self._settings.intake.language_folders)
        if language is not None and language not in self._snapshots:
            self._snapshots[language] = in_language(self._snapshots[None], language)
        return self._snapshots[language]

    def _free_name(self, wanted: str) -> str:
        taken = self._ledger.taken_names()
        return unique(wanted, lambda name: name in taken or is_in_outbox(self._settings.outbox_folder, name))

    async def examine(self, job_id: str) -> None:
        """Validate a claimed recording and queue it, as a duplicate where it was done before; answer one that does not pass.

        One that still changes, that the disk does not let us read, or whose fate finds no room in the ledger, is looked at again later.
        """
        try:
            await self._examine(job_id)
        except DiskFull as error:
            if job_id not in self.waiting:
                logger.warning("waits for room on the disk: {}", error)
            self.waiting[job_id] = Waiting(f"room on the disk: {printable(error.what)}")
        else:
            self.waiting.pop(job_id, None)

    async def _examine(self, job_id: str) -> None:
        if (job := self._claimed(job_id)) is None:
            return
        found: Validated | RecordingError | StorageError | None
        try:
            found = await asyncio.to_thread(validate, self._folders.work / job.id / SOURCE_FILE, job.source_name, self._settings.intake)
        except DiskFull:
            raise
        except (RecordingError, StorageError) as error:
            found = error
        if (job := self._claimed(job_id)) is None:
            return
        if isinstance(found, StorageError):
            self._put_off(job, found)
            return
        self._unread.pop(job_id, None)
        if isinstance(found, RecordingError):
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

    def _put_off(self, job: Job, error: StorageError) -> None:
        """The disk says nothing of the recording: wait for it, as for what failed and is tried again."""
        self._unread[job.id] += 1
        seconds = delay(self._settings.retries, self._unread[job.id], random.random())  # noqa: S311 - jitter is no secret
        logger.warning("waits {:.0f} s until the disk lets it be read: {}", seconds, error)
        self._ledger.put(jobs.wait(job, error, time.time(), seconds))

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
