"""The ledger: every job Trax has taken, durable at each change. One process writes it; others may read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

from loguru import logger
from tinydb.table import Table

from trax import files
from trax.errors import DiskFull, JobError, LedgerError
from trax.jobs import damaged
from trax.jobs.archives import Archives, archive_files
from trax.jobs.job import FINISHED, Job, Status
from trax.jobs.record import join_settings, split_settings
from trax.jobs.storage import MEND, SnapshotStorage

#: Finished jobs that stay in the live table at least, the newest.
LIVE_FINISHED = 200
#: Finished jobs that move to the archives together: a file for each would be many, and each move costs a write.
BATCH = 100


class _NamedTable(Table):
    """A table whose documents are found by name (a job's id, a settings hash) instead of by number."""

    document_id_class = str  # type: ignore[assignment] # TinyDB takes any constructor, only its annotation says int

    def place(self, name: str, document: dict[str, Any]) -> None:
        """Insert or replace, in one write. A new object takes the place of the former: the storage relies on it, see `Encoder`."""
        self._update_table(lambda table: table.update({cast("int", name): document}))

    def drop(self, names: list[str]) -> None:
        """Remove, in one write."""
        self.remove(doc_ids=cast("list[int]", names))


class Ledger:
    """The jobs in `folder`, open for writing: the caller holds the daemon's lock. Everyone else uses `Ledger.read_only`.

    Live are the unfinished jobs and at least the newest `LIVE_FINISHED` finished ones; older ones lie in archives. Reads cost no disk
    access unless they reach into the archives. `damaged` lists files that were passed over. Raises LedgerError when no good snapshot is
    left, or none at all beside other traces of a ledger: it never begins anew in silence.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder = folder
        self._storage = SnapshotStorage(folder, read_only=read_only)
        if self._storage.is_new and archive_files(folder):
            raise LedgerError("The ledger's snapshots are gone.", file=str(folder), advice=MEND)
        # After the snapshots: a job on its way into the archives is then seen twice by a reader, never missed.
        self._archives = Archives(folder)
        self._records = _NamedTable(self._storage, "jobs")
        self._settings = _NamedTable(self._storage, "settings")
        settings = {str(document.doc_id): dict(document) for document in self._settings}
        self._jobs = {job.id: job for job in (join_settings(document, settings) for document in self._records)}
        self._hashes = set(settings)
        self.damaged = (*self._storage.damaged, *self._archives.damaged)

    @classmethod
    def read_only(cls, folder: Path) -> Self:
        """The ledger as it is now, for a process that does not hold the lock; `put` raises LedgerError."""
        return cls(folder, read_only=True)

    def put(self, job: Job) -> None:
        """Remember the job as it is now, durably. Raises DiskFull (nothing has changed) or StorageError (stop: see `SnapshotStorage`)."""
        record, settings = split_settings(job)
        if job.settings_hash not in self._hashes:
            self._settings.place(job.settings_hash, settings)
            self._hashes.add(job.settings_hash)
        self._records.place(job.id, record)
        self._jobs[job.id] = job
        if job.is_finished:
            self._make_room()

    def _make_room(self) -> None:
        finished = self._finished()
        if len(finished) < LIVE_FINISHED + BATCH:
            return
        batch = finished[LIVE_FINISHED:][::-1]
        try:
            # Archive first: a crash between the two leaves the batch in both places, and what is live holds.
            self._archives.add(batch)
            self._records.drop([job.id for job in batch])
            for job in batch:
                del self._jobs[job.id]
            self._drop_unused_settings()
        except DiskFull as error:
            logger.warning("Finished jobs stay in the ledger for now: {}", error)

    def forget(self, job_id: str) -> None:
        """Remove every record of the job, durably: from both snapshots, from the archives, and what is damaged and names it.

        A job that is not known is as well as forgotten. Ended in between, it must be called again. Raises StorageError.
        """
        self._archives.forget(job_id)
        if job_id in self._jobs:
            self._records.drop([job_id])
            del self._jobs[job_id]
        self._drop_unused_settings()
        self._storage.write_again()
        for path in (*damaged.kept_beside(self._folder), *self._archives.damaged):
            if job_id.encode() in (damaged.read(path) or b""):
                files.remove(path)

    def _drop_unused_settings(self) -> None:
        if unused := self._hashes - {job.settings_hash for job in self._jobs.values()}:
            self._settings.drop(sorted(unused))
            self._hashes -= unused

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs or job_id in self._archives

    def get(self, job_id: str) -> Job | None:
        """The job of that id, live or archived; None when there is none."""
        return self._jobs.get(job_id) or self._archives.get(job_id)

    def status(self, job_id: str) -> Status | None:
        """The status of the job of that id, without a look at the disk; None when there is none."""
        job = self._jobs.get(job_id)
        return self._archives.status(job_id) if job is None else job.status

    def find(self, text: str) -> Job:
        """The one job that `text` names: its id, the beginning of its id, or its output name. Raises JobError when none or several fit."""
        if exact := self.get(text):
            return exact
        known = {*self._jobs, *self._archives.ids()}
        fitting = sorted(job_id for job_id in known if text and job_id.startswith(text))
        if not fitting:
            fitting = sorted({job.id for job in self._jobs.values() if job.output_name == text})
        if not fitting:
            fitting = sorted({job.id for job in self._archives.newest_first() if job.output_name == text})
        if len(fitting) > 1:
            shown = ", ".join(fitting[-5:])
            raise JobError(f"{len(fitting)} jobs fit {text!a}, the newest: {shown}.", advice="Give the whole id.")
        job = self.get(fitting[0]) if fitting else None
        if job is None:
            raise JobError(f"There is no job {text!a}.", advice="Give an id, its beginning or an output name from `trax-ctl status`.")
        return job

    def live(self) -> tuple[Job, ...]:
        """The jobs of the live table in order of creation."""
        return tuple(sorted(self._jobs.values(), key=_age))

    def by_status(self, *statuses: Status) -> tuple[Job, ...]:
        """The live jobs of these statuses in order of creation; all that are unfinished are live."""
        return tuple(job for job in self.live() if job.status in statuses)

    def next_due(self, now: float) -> float | None:
        """When the next of the jobs that wait beyond `now` may be started, in seconds since the epoch; None when none does."""
        queued = (job.not_before for job in self._jobs.values() if job.status is Status.QUEUED)
        return min((moment for moment in queued if moment is not None and moment > now), default=None)

    def taken_names(self) -> frozenset[str]:
        """Output names that are still to be written, or whose answer a retry would replace: every job's but the completed ones'.

        What a completed job wrote is seen in the outbox.
        """
        return frozenset(job.output_name for job in self._jobs.values() if job.status is not Status.COMPLETED)

    def counts(self) -> dict[Status, int]:
        """How many jobs there are of each status, archived ones included."""
        counts = self._archives.counts(leaving_out=self._jobs)
        counts.update(job.status for job in self._jobs.values())
        return {status: counts[status] for status in Status}

    def recent(self, limit: int = 10) -> tuple[Job, ...]:
        """The last finished jobs, newest first; at most those that are live."""
        return tuple(self._finished()[:limit])

    def failed(self, limit: int | None = None) -> tuple[Job, ...]:
        """The failed jobs among the live ones, newest first."""
        return tuple(job for job in self._finished() if job.status is Status.FAILED)[:limit]

    def completed(self) -> dict[str, str]:
        """The last job that completed each recording, by the recording's SHA-256. Reads all archives. Raises LedgerError."""
        archived = (found for found in self._archives.completed() if found[2] not in self._jobs)
        live = ((job.finished or job.changed, job.media_id, job.id) for job in self._jobs.values() if job.status is Status.COMPLETED)
        return {media_id: job_id for _, media_id, job_id in sorted((*archived, *live))}

    def everything(self) -> Iterator[Job]:
        """Every job once: the live ones, then the archived ones from the newest on."""
        yield from self.live()
        yield from (job for job in self._archives.newest_first() if job.id not in self._jobs)

    def _finished(self) -> list[Job]:
        finished = (job for job in self._jobs.values() if job.status in FINISHED)
        return sorted(finished, key=lambda job: (job.finished or job.changed, job.id), reverse=True)


def _age(job: Job) -> tuple[float, str]:
    return job.created, job.id
