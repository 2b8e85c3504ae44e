"""After a crash: the ledger, the jobs' folders and what is published are brought to one story.

The order of commits makes this possible: `job.json` before the recording, outputs before the ledger, the ledger before the folder moves
(and before the answer to a failure, which is owed as long as the folder has not moved). So whatever is missing is the later of two steps,
and is done here. `decide` is pure; `reconcile` does what it says.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from trax import files
from trax.config import Retries
from trax.errors import JobError, UnreadableRecording
from trax.jobs.folders import JOB_FILE, SOURCE_FILE, Part, StateFolders, file_away, home, home_of, read_job, subfolders
from trax.jobs.job import Job, Status, complete, fail, recover
from trax.jobs.ledger import Ledger
from trax.log import about


@dataclass(frozen=True, slots=True)
class Found:
    """A job's folder: where it is, whether the recording is in it, and the job by its `job.json` (None when that cannot be read)."""

    part: Part
    has_source: bool
    job: Job | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one job: make the ledger say `job` and bring the folder home; without a job, remove the folder."""

    job: Job | None
    why: str


def decide(
    known: Job | None, found: Found | None, *, is_published: bool, has_progressed: bool, now: float, policy: Retries
) -> Decision | None:
    """What to do about a job of which the ledger says `known` and the disk shows `found`; None: all is as it should be.

    `is_published` says that its whole result is in the outbox, `has_progressed` that a stage was finished since it was started.
    A job whose answer stands, while its speakers are sought anew, needs its recording no more.
    """
    newest = _newer(known, found.job if found is not None else None)
    has_all = found is not None and (found.has_source or (newest is not None and newest.standing is not None))
    if known is None and found is not None and not has_all:
        return Decision(None, "its recording was never taken out of the inbox") if found.part is Part.WORK else None
    if newest is None:
        return None
    job, why = newest, "" if newest is known else "its folder knows more than the ledger"
    if job.status is Status.RUNNING and is_published:
        job, why = complete(job, now, duplicate_of=job.duplicate_of), "its result is published"
    elif not job.is_finished and not has_all:
        gone = UnreadableRecording("The recording is gone from the state folder.", file=job.output_name, advice="Drop it again.")
        job, why = fail(job, gone, now, policy, jitter=0.0), "its recording is gone"
    elif job.status is Status.RUNNING:
        job, why = recover(job, now, has_progressed=has_progressed), "Trax ended while it was running"
    is_home = found is None or found.part is home(job)
    if job == known and is_home:
        return None
    return Decision(job, why or f"its folder belongs in {home(job)}")


def _newer(known: Job | None, told: Job | None) -> Job | None:
    """The ledger's word, unless it fell back to a former snapshot and the folder has a later one."""
    if known is None or told is None:
        return known or told
    return told if told.changed > known.changed else known


def reconcile(
    ledger: Ledger,
    folders: StateFolders,
    *,
    is_published: Callable[[Job], bool],
    has_progressed: Callable[[Job], bool],
    finish: Callable[[Job], None],
    now: float,
    policy: Retries,
) -> list[Job]:
    """Put everything right at start, after `intake.claim.finish_claims`, and return the jobs that were touched as they are now.

    `is_published` says whether the whole result of this run of the job, not of one before a retry, is in the outbox; `has_progressed`
    whether a stage was finished in this run; `finish` does what remains about a job that the ledger knows to be finished: it answers one
    that failed and brings its folder home. Raises StorageError.
    """
    touched = []
    for job_id in sorted(_in_question(ledger, folders)):
        known, found = ledger.get(job_id), _look(folders, job_id)
        subject = _newer(known, found.job if found else None)
        decision = decide(
            known,
            found,
            is_published=subject is not None and is_published(subject),
            has_progressed=subject is not None and has_progressed(subject),
            now=now,
            policy=policy,
        )
        if decision is None:
            if subject is None:
                with about(job_id):
                    logger.error("its folder has no readable {} and stays where it is", JOB_FILE)
            continue
        with about(job_id):
            logger.info("{}", decision.why)
        job = decision.job
        if job is None:
            files.remove_tree(folders.work / job_id)
            continue
        if job != known:
            ledger.put(job)
        # The folder moves last: until then a recovery that is ended itself finds the job again.
        if job.is_finished:
            finish(job)
        else:
            file_away(folders, job)
        touched.append(ledger.get(job_id) or job)
    return touched


def _in_question(ledger: Ledger, folders: StateFolders) -> set[str]:
    """Jobs that are unfinished by the ledger, or in work by the disk, or whose folder is not where the ledger's word puts it.

    The last are those of which the ledger fell back, to a former snapshot or to a copy that was brought back, or lost an archive. Beside a
    damaged file every job of the live table is in question: one that was retried may have ended as it had ended before.
    """
    unfinished = {job.id for job in ledger.live() if ledger.damaged or not job.is_finished}
    in_work = {folder.name for folder in subfolders(folders.work)}
    astray = set()
    for part in (Part.QUARANTINE, Part.ARCHIVE):
        for folder in subfolders(folders.root / part):
            status = ledger.status(folder.name)
            if status is None or home_of(status) is not part:
                astray.add(folder.name)
    return unfinished | in_work | astray


def _look(folders: StateFolders, job_id: str) -> Found | None:
    folder = folders.find(job_id)
    if folder is None:
        return None
    files.remove_temporaries(folder)  # now, not when it is filed away: each run that is killed may leave half a recording's PCM
    try:
        job = read_job(folder)
    except JobError:
        job = None
    # lexists: the recording may be a link that leads nowhere, and still needs its answer
    return Found(Part(folder.parent.name), os.path.lexists(folder / SOURCE_FILE), job)
