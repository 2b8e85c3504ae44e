"""From the queue to the outbox: starts jobs, follows them, publishes what they found, and puts their recordings where they belong.

The order of commits is fixed: the outputs are durable, then the ledger, then the recording moves. Whenever Trax is ended in
between, recovery finds what is done and does the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from trax import files
from trax.config import Settings, settings_hash, snapshot
from trax.errors import Cancelled, DiskFull, JobError, StorageError, TraxError, WorkerError
from trax.intake.duplicates import has_earlier_result
from trax.intake.names import extension_of, printable, unique
from trax.intake.validate import is_as_validated
from trax.jobs import job as jobs
from trax.jobs.folders import SOURCE_FILE, StateFolders, file_away
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline import answer, artefacts
from trax.pipeline.lanes import Lanes
from trax.pipeline.publish import Manifest, Staged, publish, stage
from trax.pipeline.runner import Products, Progress, Work, run_stages
from trax.pipeline.stages import PLAN, STAGES, stages_for
from trax.service.progress import Live
from trax.service.threads import to_the_end

#: How long a job waits for room on the disk before it looks again, seconds.
_ROOM_SECONDS = 30.0
#: No job is started with less room than this on the disk, bytes: the ledger must be able to say how it ends.
_LEAST_ROOM = 64 << 20


class Workshop:
    """The jobs in hand. Runs in one event loop; everything it changes, it changes between two awaits."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen, lanes: Lanes) -> None:
        self.live: dict[str, Live] = {}
        self.wake = asyncio.Event()
        #: Set when a job waits for validation again: it is the receiver that looks at it.
        self.unexamined = asyncio.Event()
        self._settings = settings
        self._folders = folders
        self._ledger = ledger
        self._seen = seen
        self._lanes = lanes
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._to_cancel: set[str] = set()
        self._had_room = True

    async def run(self) -> None:
        """Start jobs as lanes come free, until cancelled; then every job in hand goes back to the queue. Raises StorageError."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self.wake.clear()
                    if has_room := self._has_room():
                        self._start_what_fits(group)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._until_due() if has_room else _ROOM_SECONDS):
                            await self.wake.wait()
        except ExceptionGroup as several:  # no except*: what is raised there is put into a group again, which is no TraxError
            raise several.exceptions[0] from None

    def _has_room(self) -> bool:
        has_room = files.free_bytes(self._folders.root) >= _LEAST_ROOM
        if has_room != self._had_room:
            self._had_room = has_room
            logger.warning("there is room on the disk again" if has_room else "no job is started until there is room on the disk")
        return has_room

    def _until_due(self) -> float | None:
        # What is due already waits for a lane or for its twin, and their end wakes us.
        now = time.time()
        due = self._ledger.next_due(now)
        return None if due is None else due - now

    def _start_what_fits(self, group: asyncio.TaskGroup) -> None:
        now = time.time()
        for job in self._ledger.by_status(Status.QUEUED):
            # One more than can be transcribed: the next is decoded, or diarized, meanwhile.
            if len(self._in_hand) > self._lanes.transcribers:
                return
            if (job.not_before or 0.0) > now or job.id in self._in_hand or self._waits_for_twin(job):
                continue
            self._in_hand[job.id] = task = group.create_task(self._process(job))
            task.add_done_callback(partial(self._let_go, job.id))

    def _let_go(self, job_id: str, _task: asyncio.Task[None]) -> None:
        # Not at the end of `_process`: a task that is cancelled before its first step never gets there.
        self.live.pop(job_id, None)
        self._in_hand.pop(job_id, None)
        self._to_cancel.discard(job_id)
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
        folder = self._folders.work / job.id
        job = jobs.start(job, time.time())
        self._ledger.put(job)  # the attempt is counted before any work is done
        with about(job.id):
            logger.info("started (attempt {}): {}", job.attempts, printable(job.source_name))
            try:
                job = self._with_earlier_result(job)
                products = await run_stages(self._work(job, folder), self._lanes, lambda progress: self._follow(job.id, progress))
                staged = await to_the_end(self._stage, job, products)
                self._complete(job, folder, products, staged)
            except asyncio.CancelledError:
                if job.id in self._to_cancel:
                    self._give_up(Cancelled("The job was cancelled."), jobs.cancel(self._current(job), time.time()))
                else:
                    self._ledger.put(jobs.interrupt(self._current(job), time.time()))
                    logger.info("interrupted: back to the queue")
                    raise
            except DiskFull as error:
                self._ledger.put(jobs.wait(self._current(job), error, time.time(), _ROOM_SECONDS))
                logger.warning("waiting for room on the disk: {}", error)
            except TraxError as error:
                self._fail(self._current(job), error)
            except Exception as error:  # noqa: BLE001 - a fault of ours must cost this job an attempt, not the daemon its life
                logger.exception("the job failed")
                self._fail(self._current(job), WorkerError(f"Trax failed on this recording: {type(error).__name__}: {error}"))

    def _current(self, job: Job) -> Job:
        """The job as the ledger has it, with the stage it is in: what the ledger hears of a stage is where a run ended."""
        current = self._ledger.get(job.id) or job
        live = self.live.get(job.id)
        return jobs.enter_stage(current, live.stage, time.time()) if live and current.status is Status.RUNNING else current

    def _work(self, job: Job, folder: Path) -> Work:
        return Work(
            job=job.id,
            folder=folder,
            source=folder / SOURCE_FILE,
            extension=extension_of(job.source_name),
            sha256=job.media_id,
            settings=job.settings,
            models_folder=self._folders.models,
        )

    def _follow(self, job_id: str, progress: Progress) -> None:
        known = self.live.get(job_id)
        if known is None:
            began = Live(progress.stage, progress.fraction, progress.audio_seconds, time.monotonic(), progress.fraction)
            self.live[job_id] = began
        else:
            self.live[job_id] = replace(
                known, stage=progress.stage, fraction=progress.fraction, audio_seconds=progress.audio_seconds or known.audio_seconds
            )

    def _complete(self, job: Job, folder: Path, products: Products, staged: Staged) -> None:
        if not is_as_validated(folder, job):
            self._ledger.put(jobs.reopen(self._current(job), time.time()))
            self.unexamined.set()
            logger.warning("the recording changed after it was taken in: it is taken again, whole")
            return
        manifest = self._publish(job, staged)
        done = jobs.complete(self._current(job), time.time(), duplicate_of=job.duplicate_of)
        done = replace(done, output_name=manifest.name, duration=float(products.media["duration"]))
        self._ledger.put(done)
        self.put_away(done)
        taken = (done.finished or 0.0) - (done.started or 0.0)
        logger.info("completed in {:.1f} s, {:.1f} s of sound: {}", taken, done.duration, printable(manifest.name))

    def put_away(self, ended: Job) -> None:
        """What remains to be done about a job that the ledger knows to be finished. Recovery does it where this fails."""
        try:
            if ended.status is Status.COMPLETED and self._seen.find(ended.media_id) != ended.id:
                self._seen.add(ended.media_id, ended.id)
            if ended.status is not Status.FAILED and (folder := self._folders.find(ended.id)):
                artefacts.drop_large(folder, STAGES)
            file_away(self._folders, ended)
        except StorageError as error:
            logger.error("the job is finished, and its recording stays in work until traxd starts again: {}", error)

    def _stage(self, job: Job, products: Products) -> Staged:
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
        return stage(self._settings.outbox_folder, job.id, answer.outputs_of(transcript, job.settings))

    def _publish(self, job: Job, staged: Staged) -> Manifest:
        folder = self._folders.find(job.id) or self._folders.work / job.id
        return publish(self._settings.outbox_folder, folder, run_of(job), staged, lambda taken: self._name(job, taken))

    def _name(self, job: Job, taken: Callable[[str], bool]) -> str:
        others = {each.output_name for each in self._ledger.live() if each.status is not Status.COMPLETED and each.id != job.id}
        return unique(job.output_name, lambda name: name in others or taken(name))

    def _fail(self, job: Job, error: TraxError) -> None:
        error.file = error.file or printable(job.source_name)
        failed = jobs.fail(job, error, time.time(), self._settings.retries, random.random())  # noqa: S311 - jitter is no secret
        if failed.status is Status.FAILED:
            self._give_up(error, failed)
        else:
            self._ledger.put(failed)
            logger.warning("attempt {} failed, will be tried again: {}", job.attempts, error)

    def refuse(self, job: Job, error: TraxError) -> None:
        """Answer a claimed recording that did not pass validation. Raises StorageError."""
        with about(job.id):
            self._fail(job, error)

    def _give_up(self, error: TraxError, ended: Job) -> None:
        """Answer with what went wrong, then remember it, then set the recording aside."""
        ended = replace(ended, output_name=self.answer_failure(ended, error))
        self._ledger.put(ended)
        self.put_away(ended)
        logger.warning("{}: {}", ended.status.value, error)

    def answer_failure(self, job: Job, error: TraxError) -> str:
        """Write `<name>.error.json`; returns the name. One that cannot be written is logged: the ledger knows what went wrong."""
        try:
            outputs = answer.error_outputs(error, name=job.source_name, job=job.id)
            return self._publish(job, stage(self._settings.outbox_folder, job.id, outputs)).name
        except (StorageError, OSError) as refusal:
            logger.error("the answer cannot be written: {}", refusal)
            return job.output_name

    def cancel(self, text: str) -> str:
        """End a job. Returns its id; raises JobError when it is finished or unknown."""
        job = self._ledger.find(text)
        ended = jobs.cancel(job, time.time())
        task = self._in_hand.get(job.id)
        if task is not None and job.id not in self._to_cancel:
            task.cancel()
        if job.status is Status.RUNNING:
            self._to_cancel.add(job.id)  # its task ends it
        else:
            with about(job.id):
                self._give_up(Cancelled("The job was cancelled."), ended)
        return job.id

    def retry(self, text: str, settings: Settings | None) -> Job:
        """Put a job back into the queue, with its own settings or with `settings`. Raises JobError when its state does not allow it."""
        job = self._ledger.find(text)
        if job.id in self._in_hand:
            raise JobError(f"Job {job.id} is being worked on.")
        again = jobs.retry(job, time.time(), snapshot_of(settings) if settings else None)
        place = self._folders.find(job.id)
        if place is None:
            raise JobError(f"The recording of job {job.id} is no longer kept.", advice="Drop it into the inbox again.")
        if settings is not None:
            artefacts.forget(place, PLAN)  # the models may be others by now
        self._ledger.put(again)  # first: when we are ended before the move, recovery brings the folder to where the ledger says
        file_away(self._folders, again)
        (self.wake if again.status is Status.QUEUED else self.unexamined).set()
        with about(job.id):
            logger.info("taken up again, as asked")
        return again


def run_of(job: Job) -> str:
    """What tells one run of a job from another."""
    return f"{job.started}"


def snapshot_of(settings: Settings) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """What a job keeps of the settings: the snapshot, its hash, and the names of the stages it asks for."""
    plain = snapshot(settings)
    return plain, settings_hash(plain), tuple(stage.name for stage in stages_for(plain))
