"""A job and its state machine: pure functions from one frozen `Job` to the next.

    claim ─▶ CLAIMED ──accept──▶ QUEUED ──start──▶ RUNNING ──complete──▶ COMPLETED
                                    ◀──interrupt──   │ ▲                      Trax stops: the attempt is given back
                                    ◀──wait───────   │ └─enter_stage          the disk is full: the attempt is given back
                                    ◀──fail───────   │                        transient, attempts left: waits until `not_before`
                                    ◀──recover────   │                        Trax was killed: given back, but the interruption counted
             CLAIMED ◀──reopen────────────────────   │                        the recording changed: the attempt is given back
                                                     └─fail, recover─▶ FAILED     permanent, no attempt left, or too many interruptions

    CLAIMED, QUEUED ──fail──▶ FAILED                        a recording that does not pass validation, or is gone
    CLAIMED, QUEUED, RUNNING ──cancel──▶ CANCELLED
    FAILED, COMPLETED ──reopen──▶ CLAIMED                   the recording went on after it was answered
    FAILED, CANCELLED, COMPLETED, QUEUED (waiting) ──retry──▶ QUEUED      a completed job only with other settings
    COMPLETED ──rediarize──▶ QUEUED ──▶ RUNNING             the former answer stands meanwhile (`standing`): what would make the job
    COMPLETED ◀──fail, recover, cancel──   │                FAILED or CANCELLED else brings that answer back

A job that never passed validation (`media_id` is empty) goes back to CLAIMED when it is retried. Every start is made durable by the caller
before any work begins. So a worker that dies, hangs or errs costs an attempt whatever happens next, and a job that takes all of Trax down
with it is not tried for ever: an innocent one loses no attempt to the death of the daemon, but `MOST_INTERRUPTIONS` in a row end it.
A transition that the picture does not have raises `JobError`. Times are seconds since the epoch and always given by the caller.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from trax.config import Retries
from trax.errors import Cancelled, JobError, TraxError, WorkerCrashed
from trax.jobs.retry import delay


class Status(StrEnum):
    """Where a job stands."""

    CLAIMED = "claimed"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_STANDS = "The former transcript stands."
#: What to do when no attempt is left.
_EXHAUSTED = "Check the recording, and the log of traxd for each attempt; `trax-ctl retry` takes the job up again."
#: Nothing more happens to these by itself.
FINISHED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

#: How often in a row Trax may be killed while it works on a job, and no stage of it be finished, before the job is held to be the cause.
MOST_INTERRUPTIONS = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer that stands while its speakers are sought anew: all of the job that it goes back to should that come to nothing.

    `diarize` is that section of the settings, in which alone they differ meanwhile. `is_kept` says that it is kept beside the new one.
    """

    diarize: Mapping[str, Any]
    settings_hash: str
    stages: tuple[str, ...]
    started: float | None
    finished: float | None
    duplicate_of: str | None
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """One recording on its way through Trax.

    `source_name` is the path relative to the inbox as it was dropped (undecodable bytes as surrogates); `output_name` the relative stem in
    the outbox, its subfolder included; `media_id` the SHA-256 of the recording, empty until known; `error` is `TraxError.as_dict()` of what
    went wrong last; `interruptions` counts the runs in a row in which Trax was killed before a stage was finished; `size` is in bytes and
    `modified` in nanoseconds since the epoch, both of the recording as it was when `media_id` was taken; `duration` is in seconds of audio;
    `standing` is there while the speakers of a completed job are sought anew; the rest of the numbers are seconds since the epoch.
    """

    id: str
    source_name: str
    output_name: str
    stages: tuple[str, ...]
    settings: Mapping[str, Any]
    settings_hash: str
    created: float
    changed: float
    status: Status = Status.CLAIMED
    media_id: str = ""
    stage: str | None = None
    error: Mapping[str, Any] | None = None
    attempts: int = 0
    interruptions: int = 0
    not_before: float | None = None
    started: float | None = None
    finished: float | None = None
    size: int | None = None
    modified: int | None = None
    duration: float | None = None
    duplicate_of: str | None = None
    standing: Standing | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in FINISHED


def new_job_id(now: float, random: int) -> str:
    """An id such as `20261122-190512-7f3a9c`: UTC time, then the low 24 bits of `random`; ids sort by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{random & 0xFFFFFF:06x}"


def is_job_id(text: str) -> bool:
    """Whether this is an id as `new_job_id` makes them: it then names one folder, and nothing else."""
    return re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", text) is not None


def _require(job: Job, event: str, *allowed: Status) -> None:
    if job.status not in allowed:
        raise JobError(f"Job {job.id} is {job.status} and cannot be {event}.")


def _changed(job: Job, now: float, **fields: Any) -> Job:  # noqa: ANN401 - the fields of Job are of many types
    # The clock of a machine can be set back; what is later must look later to recovery.
    return replace(job, changed=max(now, math.nextafter(job.changed, math.inf)), **fields)


def accept(job: Job, *, media_id: str, size: int, now: float, modified: int | None = None) -> Job:
    """Claimed → queued: the recording passed validation. `media_id` is the SHA-256 of its `size` bytes, `modified` its mtime in ns."""
    _require(job, "queued", Status.CLAIMED)
    return _changed(job, now, status=Status.QUEUED, media_id=media_id, size=size, modified=modified, error=None, not_before=None)


def turn(job: Job) -> float:
    """When a queued job came, or comes, to wait for its turn: one that is tried again goes behind those that came meanwhile.

    So an input that makes its worker hang holds the others up once, not for all its attempts in a row.
    """
    return max(job.created, job.not_before or 0.0)


def start(job: Job, now: float) -> Job:
    """Queued → running. Counts the attempt: make the result durable before the work begins."""
    _require(job, "started", Status.QUEUED)
    return _changed(job, now, status=Status.RUNNING, attempts=job.attempts + 1, not_before=None, started=now)


def enter_stage(job: Job, stage: str, now: float) -> Job:
    """Running → running, in another stage."""
    _require(job, "moved to another stage", Status.RUNNING)
    return _changed(job, now, stage=stage)


def complete(job: Job, now: float, *, duplicate_of: str | None = None) -> Job:
    """Running → completed. `duplicate_of` names the earlier job over the same recording whose artefacts were taken over."""
    _require(job, "completed", Status.RUNNING)
    done = _changed(job, now, status=Status.COMPLETED, stage=None, error=None, not_before=None, finished=now, duplicate_of=duplicate_of)
    return replace(done, standing=None)


def fail(job: Job, error: TraxError, now: float, policy: Retries, jitter: float) -> Job:
    """Running → queued, after a delay, when another attempt can help and one is left; else → failed.

    A job that is not running fails at once: no work was done that could be tried again. `jitter` is a random number in [0, 1).
    """
    _require(job, "failed", Status.CLAIMED, Status.QUEUED, Status.RUNNING)
    if job.status is Status.RUNNING and not error.permanent:
        if job.attempts < policy.max_attempts:
            not_before = now + delay(policy, job.attempts, jitter)
            return _changed(job, now, status=Status.QUEUED, error=error.as_dict(), not_before=not_before, interruptions=0)
        told = {**error.as_dict(), "what": f"{error.what} This was the last of {job.attempts} attempts.", "advice": _EXHAUSTED}
        return _ended(job, Status.FAILED, now, told)
    return _ended(job, Status.FAILED, now, error.as_dict())


def _ended(job: Job, status: Status, now: float, error: Mapping[str, Any] | None) -> Job:
    """Over without an answer; or, where an answer stands, completed as before, with what happened as the error."""
    if (former := job.standing) is None:
        return _changed(job, now, status=status, error=error, not_before=None, finished=now)
    return _changed(
        job,
        now,
        status=Status.COMPLETED,
        settings={**job.settings, "diarize": former.diarize},
        settings_hash=former.settings_hash,
        stages=former.stages,
        stage=None,
        error=error,
        not_before=None,
        started=former.started,
        finished=former.finished,
        duplicate_of=former.duplicate_of,
        standing=None,
    )


def interrupt(job: Job, now: float) -> Job:
    """Running → queued, because Trax stops: the attempt is given back."""
    _require(job, "interrupted", Status.RUNNING)
    return _changed(job, now, status=Status.QUEUED, attempts=job.attempts - 1, not_before=None, interruptions=0)


def wait(job: Job, error: TraxError, now: float, seconds: float) -> Job:
    """Running → queued, or claimed as before, for `seconds`, because of the disk: no attempt is charged, `error` says why."""
    _require(job, "made to wait", Status.CLAIMED, Status.RUNNING)
    waiting = _changed(job, now, error=error.as_dict(), not_before=now + seconds, interruptions=0)
    return waiting if job.status is Status.CLAIMED else replace(waiting, status=Status.QUEUED, attempts=job.attempts - 1)


def reopen(job: Job, now: float) -> Job:
    """Running, failed or completed → claimed, because the recording changed after it was looked at: all begins anew, nothing is charged."""
    _require(job, "reopened", Status.RUNNING, Status.FAILED, Status.COMPLETED)
    return _changed(
        job,
        now,
        status=Status.CLAIMED,
        media_id="",
        size=None,
        modified=None,
        duration=None,
        stage=None,
        error=None,
        attempts=job.attempts - 1 if job.status is Status.RUNNING else 0,
        interruptions=0,
        finished=None,
        duplicate_of=None,
        standing=None,
    )


def recover(job: Job, now: float, *, has_progressed: bool) -> Job:
    """Running → queued, because Trax was killed in the middle; after `MOST_INTERRUPTIONS` in a row → failed.

    The attempt is given back: whoever killed Trax, it was hardly the recording, and a machine that is switched off three times must not
    cost it its answer. `has_progressed` says that a stage was finished in this run: the next interruption is then counted as the first.
    """
    _require(job, "recovered", Status.RUNNING)
    interruptions = 0 if has_progressed else job.interruptions + 1
    if interruptions < MOST_INTERRUPTIONS:
        return _changed(job, now, status=Status.QUEUED, attempts=job.attempts - 1, not_before=None, interruptions=interruptions)
    error = WorkerCrashed(
        f"Trax was ended {interruptions} times in a row while it worked on this recording.",
        file=job.output_name,
        advice="If the machine was restarted in between, `trax-ctl retry` the job; else look for lack of memory in the system's log.",
    )
    return replace(_ended(job, Status.FAILED, now, error.as_dict()), interruptions=interruptions)


def cancel(job: Job, now: float) -> Job:
    """Claimed, queued or running → cancelled."""
    _require(job, "cancelled", Status.CLAIMED, Status.QUEUED, Status.RUNNING)
    error = job.error if job.standing is None else Cancelled("The speakers were not sought anew: cancelled.", advice=_STANDS).as_dict()
    return _ended(job, Status.CANCELLED, now, error)


def retry(job: Job, now: float, settings: tuple[Mapping[str, Any], str, tuple[str, ...]] | None = None) -> Job:
    """Failed, cancelled or waiting → queued at once (claimed, if it never passed validation), with all its attempts.

    A completed job is only done again with other settings. `settings` is a snapshot, its hash and its stages; None keeps the job's own.
    """
    if job.status is Status.COMPLETED and settings is None:
        raise JobError(f"Job {job.id} is completed.", advice="With --current-settings, or --language and a code, it is done again.")
    is_waiting = not job.is_finished and job.not_before is not None
    if not is_waiting:
        _require(job, "retried", *FINISHED)
    snapshot, digest, stages = settings or (job.settings, job.settings_hash, job.stages)
    return _changed(
        job,
        now,
        status=Status.QUEUED if job.media_id else Status.CLAIMED,
        settings=snapshot,
        settings_hash=digest,
        stages=stages,
        stage=None,
        error=None,
        attempts=0,
        interruptions=0,
        not_before=None,
        started=None,
        finished=None,
        duplicate_of=None,
        standing=job.standing if settings is None else None,
    )


def rediarize(job: Job, now: float, settings: tuple[Mapping[str, Any], str, tuple[str, ...]], *, is_kept: bool = True) -> Job:
    """Completed → queued, to have its speakers sought anew; `settings` is as for `retry`, and differs in `diarize` alone.

    `is_kept` says that the former answer is kept.
    """
    _require(job, "rediarized", Status.COMPLETED)
    former = Standing(job.settings["diarize"], job.settings_hash, job.stages, job.started, job.finished, job.duplicate_of, is_kept)
    return replace(retry(job, now, settings), standing=former)


def check_purge(job: Job) -> None:
    """Raises JobError unless the job is finished: only then does nobody work on what a purge removes."""
    if not job.is_finished:
        raise JobError(f"Job {job.id} is {job.status}.", advice=f"`trax-ctl cancel {job.id}` first.")
