"""From the queue to the outbox: starts jobs that fit the disks, follows them, and remembers how they end.

The order of commits is fixed: the outputs are durable, then the ledger, then the recording moves. Whenever Trax is ended in
between, recovery finds what is done and does the rest. A failure is the other way round: the ledger, then its answer, then the recording;
so what went wrong is known even while the outbox is out of reach, and a failed job that is still in `work` is one whose answer is owed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from trax.config import Settings
from trax.errors import DiskFailed, DiskFull, JobError, RecordingError, StorageError, TraxError, WorkerError, unforeseen
from trax.intake.duplicates import has_earlier_result
from trax.intake.names import printable
from trax.intake.validate import is_as_validated
from trax.jobs import job as jobs
from trax.jobs.folders import StateFolders, file_away
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import artefacts, rediarize
from trax.pipeline.lanes import Lanes
from trax.pipeline.runner import Products, Progress, Work, run_stages, work_on
from trax.pipeline.snapshots import Otherwise
from trax.pipeline.stages import PLAN, STAGES
from trax.service.endings import Endings
from trax.service.heartbeat import ComesRound
from trax.service.progress import Live, followed
from trax.service.room import LOOK_AGAIN, Room, Waiting
from trax.service.threads import to_the_end

#: How often the queue is looked at when nothing is heard of, seconds.
_REST = 60.0


class Workshop:
    """The jobs in hand. Runs in one event loop; everything it changes, it changes between two awaits."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, lanes: Lanes) -> None:
        self.live: dict[str, Live] = {}
        #: What jobs wait for that could be under way else.
        self.waiting: dict[str, Waiting] = {}
        self.endings = Endings(settings, folders, ledger, seen)
        self.wake = asyncio.Event()
        #: Set when a job waits for validation again: it is the receiver that looks at it.
        self.unexamined = asyncio.Event()
        self._settings = settings
        self._folders = folders
        self._ledger = ledger
        self._lanes = lanes
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._to_cancel: set[str] = set()
        #: Jobs in hand whose attempt is over: the ledger is still to hear how.
        self._over: set[str] = set()
        self._room = Room(settings, folders)

    async def run(self, comes_round: ComesRound) -> None:
        """Start jobs as lanes come free, until cancelled; then every job in hand goes back to the queue. Raises StorageError."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self.wake.clear()
                    self.endings.again()
                    self._start_what_fits(group)
                    comes_round(pause := self._until_due())
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self.wake.wait()
        except ExceptionGroup as several:  # no except*: what is raised there is put into a group again, which is no TraxError
            raise several.exceptions[0] from None

    def _until_due(self) -> float:
        # What is due already waits for a lane or for its twin, and their end wakes us; or for a disk, of which nothing tells.
        now = time.time()
        pause = LOOK_AGAIN if self.waiting or self.endings.owed else _REST
        due = self._ledger.next_due(now)
        return pause if due is None else min(pause, due - now)

    def _start_what_fits(self, group: asyncio.TaskGroup) -> None:
        now = time.time()
        before, self.waiting = self.waiting, {each: self.waiting[each] for each in self._in_hand.keys() & self.waiting.keys()}
        for job in sorted(self._ledger.by_status(Status.QUEUED), key=jobs.turn):
            # One more than can be transcribed: the next is decoded, or diarized, meanwhile.
            if len(self._in_hand) > self._lanes.transcribers:
                return
            if (job.not_before or 0.0) > now or job.id in self._in_hand or self._waits_for_twin(job):
                continue
            if waiting := self._room.waiting(job, filter(None, map(self._ledger.get, self._in_hand))):
                self._wait_for(job, waiting, before.get(job.id))
                continue  # a smaller one may fit
            self._in_hand[job.id] = task = group.create_task(self._process(job))
            task.add_done_callback(partial(self._let_go, job.id))

    def _wait_for(self, job: Job, waiting: Waiting, before: Waiting | None) -> None:
        self.waiting[job.id] = waiting
        if before is None or before.what != waiting.what:
            with about(job.id):
                logger.warning("waits for {}", waiting)

    def _let_go(self, job_id: str, _task: asyncio.Task[None]) -> None:
        # Not at the end of `_process`: a task that is cancelled before its first step never gets there.
        self.live.pop(job_id, None)
        self._in_hand.pop(job_id, None)
        self._to_cancel.discard(job_id)
        self._over.discard(job_id)
        self.waiting.pop(job_id, None)
        self.wake.set()

    def _waits_for_twin(self, job: Job) -> bool:
        twin = self._ledger.get(job.duplicate_of) if job.duplicate_of else None
        return twin is not None and not twin.is_finished

    def _with_earlier_result(self, job: Job) -> Job:
        """Give a duplicate the artefacts of the earlier job; what its own settings ask for beyond them is made as for any other."""
        if job.duplicate_of is None:
            return job
        source = self._folders.archive / job.duplicate_of
        if not has_earlier_result(job, self._ledger.get(job.duplicate_of), is_kept=source.is_dir()):
            return replace(job, duplicate_of=None)
        artefacts.copy_small(source, self._folders.work / job.id, STAGES)
        return job

    async def _process(self, job: Job) -> None:
        with about(job.id):
            job = jobs.start(job, time.time())
            try:
                self._ledger.put(job)  # the attempt is counted before any work is done
            except DiskFull as error:
                self._wait_for(job, Waiting("room for the ledger to say that it starts"), None)
                logger.debug("{}", error)
                await asyncio.sleep(LOOK_AGAIN)
                return
            logger.info("started (attempt {}): {}", job.attempts, printable(job.source_name))
            ended = await self._attempt(job)
            self._over.add(job.id)
            await self._remember(ended)
            self._after(ended)

    async def _attempt(self, job: Job) -> Job:
        """One attempt; returns the job as it is from then on. Raises CancelledError when Trax stops, DiskFailed when it must."""
        folder = self._folders.work / job.id
        try:
            job = self._with_earlier_result(job)
            products = await run_stages(self._work_on(job), self._lanes, lambda progress: self._follow(job.id, progress))
            return await self._deliver(job, folder, products)
        except asyncio.CancelledError:
            if job.id in self._to_cancel:
                return jobs.cancel(self._current(job), time.time())
            self._interrupt(job)
            raise
        except DiskFailed:
            raise  # nothing may be built on that disk, no word of this job's end either
        except DiskFull as error:
            return self._put_off(job, error)
        except TraxError as error:
            if isinstance(error, RecordingError) and not _is_what_was_heard(folder, job):
                return jobs.reopen(self._current(job), time.time())  # half of it was looked at, and the rest came
            return self._failed(self._current(job), error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must cost this job an attempt, not the daemon its life
            logger.exception("the job failed")
            return self._failed(self._current(job), WorkerError(f"Trax failed on this recording: {unforeseen(error)}."))

    def _work_on(self, job: Job) -> Work:
        return work_on(job, self._folders, self._settings.retries.max_attempts)

    async def _deliver(self, job: Job, folder: Path, products: Products) -> Job:
        """Put the result into the outbox; returns the job as it is from then on."""
        try:
            staged = await to_the_end(self.endings.stage, job, products)
            if not _is_what_was_heard(folder, job):
                return jobs.reopen(self._current(job), time.time())
            manifest = self.endings.publish(job, staged)
        except StorageError as error:  # an outbox that is full, read-only or not mounted is no fault of this recording
            return self._put_off(job, error)
        done = jobs.complete(self._current(job), time.time(), duplicate_of=job.duplicate_of)
        return replace(done, output_name=manifest.name, duration=float(products.media["duration"]))

    def _put_off(self, job: Job, error: StorageError) -> Job:
        logger.warning("waits until the disk takes it: {}", error)
        return jobs.wait(self._current(job), error, time.time(), LOOK_AGAIN)

    def _interrupt(self, job: Job) -> None:
        try:
            self._ledger.put(jobs.interrupt(self._current(job), time.time()))
        except DiskFull as error:  # Trax stops and cannot wait: recovery gives the attempt back
            logger.warning("interrupted, and the ledger could not be told: {}", error)
        else:
            logger.info("interrupted: back to the queue")

    async def _remember(self, job: Job) -> None:
        """Make the end of an attempt durable, however long the disk is full. Raises what else the ledger raises."""
        while True:
            try:
                self._ledger.put(job)
            except DiskFull as error:
                # The decoded sound can be made again: it gives way, so that the ledger can be told.
                if (folder := self._folders.find(job.id)) is not None and artefacts.drop_large(folder, STAGES):
                    continue
                self._wait_for(job, Waiting("room for the ledger to say how it ended"), self.waiting.get(job.id))
                logger.debug("{}", error)
                await asyncio.sleep(LOOK_AGAIN)
            else:
                return

    def _after(self, job: Job) -> None:
        """What follows from how an attempt ended, once that is durable."""
        self._room.forget(job.id)
        match job.status:
            case Status.COMPLETED if job.error is not None:
                logger.warning("the former transcript stands: {}", job.error["what"])
            case Status.COMPLETED:
                taken = (job.finished or 0.0) - (job.started or 0.0)
                logger.info("completed in {:.1f} s, {:.1f} s of sound: {}", taken, job.duration, printable(job.output_name))
            case Status.CLAIMED:
                logger.warning("the recording changed after it was taken in: it is taken again, whole")
                self.unexamined.set()
            case Status.FAILED:
                logger.warning("failed: {}", (job.error or {}).get("what"))
            case Status.CANCELLED:
                logger.warning("cancelled, as asked")
        if job.is_finished:
            self.endings.finish(job)

    def _current(self, job: Job) -> Job:
        """The job as the ledger has it, with the stage it is in: what the ledger hears of a stage is where a run ended."""
        current = self._ledger.get(job.id) or job
        stage = live.stage if (live := self.live.get(job.id)) else None
        return jobs.enter_stage(current, stage, time.time()) if stage and current.status is Status.RUNNING else current

    def _follow(self, job_id: str, progress: Progress) -> None:
        self.live[job_id] = followed(self.live.get(job_id), progress, time.monotonic())

    def _failed(self, job: Job, error: TraxError) -> Job:
        error.file = error.file or printable(job.source_name)
        failed = jobs.fail(job, error, time.time(), self._settings.retries, random.random())  # noqa: S311 - jitter is no secret
        if failed.status is not Status.FAILED:
            logger.warning("attempt {} failed, will be tried again: {}", job.attempts, error)
        return failed

    def refuse(self, job: Job, error: TraxError) -> None:
        """Answer a claimed recording that did not pass validation. Raises DiskFull, after which it is still claimed."""
        with about(job.id):
            self._end(self._failed(job, error))

    def _end(self, ended: Job) -> None:
        self._ledger.put(ended)
        self._after(ended)

    def cancel(self, text: str) -> str:
        """End a job. Returns its id; raises JobError when it is finished or unknown, DiskFull when that cannot be remembered."""
        job = self._ledger.find(text)
        ended = jobs.cancel(job, time.time())
        if job.id in self._over:
            raise JobError(f"Job {job.id} is over, and waits for room on the disk to be remembered.")
        task = self._in_hand.get(job.id)
        if job.status is not Status.RUNNING:
            with about(job.id):
                self._end(ended)
        elif job.id not in self._to_cancel:
            self._to_cancel.add(job.id)  # its task ends it
        else:
            return job.id
        if task is not None:
            task.cancel()
        return job.id

    async def until_let_go(self, job_id: str) -> None:
        """Wait until nobody works on the job: the ledger then knows how it ended. Raises DiskFull when that has to wait for room."""
        task = self._in_hand.get(job_id)
        while task is not None and not task.done():
            if job_id in self._over and job_id in self.waiting:
                raise DiskFull(f"Job {job_id} is over, and waits for room on the disk to be remembered.")
            await asyncio.wait([task], timeout=1.0)

    def retry(self, text: str, otherwise: Otherwise) -> Job:
        """Put a job back into the queue, as it was or `otherwise`. Raises JobError when its state does not allow it."""
        job = self._ledger.find(text)
        if job.id in self._in_hand:
            raise JobError(f"Job {job.id} is being worked on.")
        kept = otherwise.kept_by(job)
        again = jobs.retry(job, time.time(), kept)
        place = self._folders.find(job.id)
        if place is None:
            raise JobError(f"The recording of job {job.id} is no longer kept.", advice="Drop it into the inbox again.")
        if kept is not None:
            artefacts.forget(place, PLAN)  # the models may be others by now
        return self._take_up(again)

    def rediarize(self, text: str, changes: Mapping[str, Any], *, is_kept: bool = True) -> Job:
        """Put a completed job back into the queue, to have its speakers sought anew with `changes` to the settings of diarization.

        `is_kept` says that the former answer is kept. Raises JobError when its state, what is kept of it, or the changes do not allow it.
        """
        job = self._ledger.find(text)
        if job.id in self._in_hand:
            raise JobError(f"Job {job.id} is being worked on.")
        today = {key: getattr(self._settings.diarize, key) for key in rediarize.PROFILES}
        again = jobs.rediarize(job, time.time(), rediarize.settings_for(job, {**today, **changes}), is_kept=is_kept)
        rediarize.check(job, self._folders.find(job.id))
        return self._take_up(again)

    def _take_up(self, again: Job) -> Job:
        self._ledger.put(again)  # first: when we are ended before the move, recovery brings the folder to where the ledger says
        file_away(self._folders, again)
        (self.wake if again.status is Status.QUEUED else self.unexamined).set()
        with about(again.id):
            logger.info("taken up again, as asked")
        return again


def _is_what_was_heard(folder: Path, job: Job) -> bool:
    """Whether the recording is still what was validated; where the speakers alone are sought anew, it is not heard, and may be gone."""
    return job.standing is not None or is_as_validated(folder, job)
