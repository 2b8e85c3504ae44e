"""The layout of `state/`: where the ledger lies, and where a job's own folder is in each part of its life."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from trax import files
from trax.errors import JobError
from trax.jobs.job import FINISHED, Job, Status
from trax.jobs.record import from_plain, to_plain

#: The job as it was when its folder was last touched; what recovery has when the ledger does not know the folder.
JOB_FILE = "job.json"
#: The recording in a job's folder, whatever its name was in the inbox.
SOURCE_FILE = "source"


class Part(StrEnum):
    """The parts of the state folder that hold jobs' folders."""

    WORK = "work"
    QUARANTINE = "quarantine"
    ARCHIVE = "archive"


def home(job: Job) -> Part:
    """Where the job's folder belongs."""
    return home_of(job.status)


def home_of(status: Status) -> Part:
    """Where the folders of jobs of this status belong."""
    if status not in FINISHED:
        return Part.WORK
    return Part.QUARANTINE if status is Status.FAILED else Part.ARCHIVE


@dataclass(frozen=True, slots=True)
class StateFolders:
    """The parts of the state folder `root`."""

    root: Path

    @property
    def lock(self) -> Path:
        """What a daemon holds with `flock` as long as it lives."""
        return self.root / "traxd.lock"

    @property
    def ledger(self) -> Path:
        """The ledger's snapshots, its archives and `seen.log`."""
        return self.root / "ledger"

    @property
    def work(self) -> Path:
        """One folder for each job that is not finished: recording and artefacts."""
        return self.root / "work"

    @property
    def archive(self) -> Path:
        """One folder for each completed or cancelled job, until retention or purge."""
        return self.root / "archive"

    @property
    def quarantine(self) -> Path:
        """One folder for each failed job: nothing is deleted because it failed."""
        return self.root / "quarantine"

    @property
    def requests(self) -> Path:
        """What `trax-ctl` asked for while no daemon ran."""
        return self.root / "requests"

    @property
    def models(self) -> Path:
        """Models that were added to those shipped."""
        return self.root / "models"

    @property
    def speakers(self) -> Path:
        """Enrolled voices."""
        return self.root / "speakers"

    def make(self) -> None:
        """Create every part that is missing, and close the whole to others, whoever made it. Raises StorageError."""
        files.make_folder(self.root)
        files.close_to_others(self.root)
        for folder in (self.ledger, self.work, self.archive, self.quarantine, self.requests, self.models, self.speakers):
            files.make_folder(folder)
        files.close_to_others(self.speakers, 0o077)  # to the group as well: what tells people apart is nobody's to copy

    def find(self, job_id: str) -> Path | None:
        """The job's folder, wherever it is."""
        candidates = (self.root / part / job_id for part in Part)
        return next((folder for folder in candidates if folder.is_dir()), None)


def write_job(folder: Path, job: Job) -> None:
    """Make the job durable in its folder. Raises StorageError."""
    # Without `indent`: the encoder that indents is not the C one, and leaves behind, at each call, a cycle for the collector.
    files.write_bytes(folder / JOB_FILE, json.dumps(to_plain(job), sort_keys=True).encode())


def file_away(folders: StateFolders, job: Job) -> Path | None:
    """Bring the job's folder, with the job as it is now, to where it belongs; returns where, None when it has none.

    The ledger must know the job's state already: it is what holds if Trax ends before the folder has moved. Raises StorageError.
    """
    folder = folders.find(job.id)
    if folder is None:
        return None
    files.remove_temporaries(folder)  # nobody works on it now; a worker may have been killed in the middle of writing
    write_job(folder, job)
    target = folders.root / home(job) / job.id
    if folder != target:
        files.rename(folder, target)
    return target


def read_job(folder: Path) -> Job:
    """The job as last written to its folder. Raises JobError when there is none or it cannot be read."""
    path = folder / JOB_FILE
    try:
        return from_plain(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise JobError(f"A job's record cannot be read: {error}.", file=str(path), advice="See `trax-ctl doctor`.") from error


def subfolders(part: Path) -> tuple[Path, ...]:
    """The jobs' folders in a part of the state folder, in order of their ids."""
    entries = (entry for entry in part.iterdir() if not entry.name.startswith("."))  # what is being removed has a hidden name
    return tuple(sorted(entry for entry in entries if entry.is_dir() and not entry.is_symlink()))
