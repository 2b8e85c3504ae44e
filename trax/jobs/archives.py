"""Finished jobs that left the live table: checksummed files of one batch each, immutable but for what is purged.

A job that was retried is in more than one file: the newest holds. Files are numbered, so the newest is the largest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trax import files
from trax.errors import JobError, LedgerError
from trax.jobs import damaged
from trax.jobs.job import Job, Status
from trax.jobs.record import join_settings, split_settings

_MAGIC = b"trax-archive-1"


class Archives:
    """The archive files in `folder`. In memory are only each job's id, status and file; the rest is read when asked for.

    `damaged` lists the files that cannot be read: they stay where they are, and the rest goes on without them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[Status, Path]] = {}
        self._last = 0
        self.damaged: list[Path] = []
        for path in archive_files(folder):
            self._last = max(self._last, int(path.stem.removeprefix("archive-")))
            try:
                self._index(path, _read(path)["jobs"])
            except LedgerError:
                self.damaged.append(path)

    def _index(self, path: Path, records: Iterable[Mapping[str, Any]]) -> None:
        places = {status: (status, path) for status in Status}  # shared: ten thousand tuples of our own would slow every garbage collection
        try:
            found = {str(record["id"]): places[Status(record["status"])] for record in records}
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(path) from error
        self._known.update(found)

    def add(self, jobs: Sequence[Job]) -> None:
        """Make a batch durable in a file of its own. Raises StorageError."""
        self._last += 1
        path = self._folder / f"archive-{self._last:08d}.json"
        split = [split_settings(job) for job in jobs]
        settings = {job.settings_hash: snapshot for job, (_, snapshot) in zip(jobs, split, strict=True)}
        records = [record for record, _ in split]
        _write(path, records, settings)
        self._index(path, records)

    def forget(self, job_id: str) -> None:
        """Write each file that names the job anew without it, durably; one that is left empty is removed. Raises StorageError."""
        for path in archive_files(self._folder):
            # Where the id is not to be found as text there is nothing to parse; a file that cannot be read is its caller's to judge.
            if path in self.damaged or job_id.encode() not in (damaged.read(path) or b""):
                continue
            batch = _read(path)
            records = [record for record in batch["jobs"] if record["id"] != job_id]
            used = {record["settings_hash"] for record in records}
            if records:
                _write(path, records, {digest: batch["settings"][digest] for digest in used})
            else:
                files.remove(path)
        self._known.pop(job_id, None)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._known

    def ids(self) -> Iterable[str]:
        """Every archived job's id."""
        return self._known.keys()

    def status(self, job_id: str) -> Status | None:
        """The status of the job as last archived, from memory; None when it never was."""
        known = self._known.get(job_id)
        return known and known[0]

    def counts(self, *, leaving_out: Container[str] = ()) -> Counter[Status]:
        """How many archived jobs have which status."""
        return Counter(status for job_id, (status, _) in self._known.items() if job_id not in leaving_out)

    def get(self, job_id: str) -> Job | None:
        """The job as last archived; None when it never was. Raises LedgerError when its file was damaged since opening."""
        if job_id not in self._known:
            return None
        return next(job for job in self._jobs(self._known[job_id][1]) if job.id == job_id)

    def completed(self) -> Iterator[tuple[float, str, str]]:
        """When each completed job was finished, its recording's SHA-256 and its id, one file in memory at a time. Raises LedgerError."""
        for path in {path for _, path in self._known.values()}:
            records = (record for record in _read(path)["jobs"] if self._known[record["id"]] == (Status.COMPLETED, path))
            yield from ((record["finished"], record["media_id"], record["id"]) for record in records)

    def newest_first(self) -> Iterator[Job]:
        """Every archived job once, one file in memory at a time."""
        for path in sorted({path for _, path in self._known.values()}, reverse=True):
            yield from (job for job in reversed(self._jobs(path)) if self._known[job.id][1] == path)

    def _jobs(self, path: Path) -> list[Job]:
        batch = _read(path)
        try:
            return [join_settings(record, batch["settings"]) for record in batch["jobs"]]
        except JobError as error:
            raise LedgerError(error.what, file=str(path)) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(path) from error


def archive_files(folder: Path) -> list[Path]:
    """The archives in the ledger's folder, oldest first; other files may lie beside them."""
    return sorted(path for path in folder.glob("archive-*.json") if path.stem.removeprefix("archive-").isdecimal())


def _write(path: Path, records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    body = json.dumps({"settings": settings, "jobs": records}, separators=(",", ":")).encode()
    files.write_bytes(path, b"%s %s\n%s" % (_MAGIC, hashlib.sha256(body).hexdigest().encode(), body))


def _read(path: Path) -> dict[str, Any]:
    line, _, body = (damaged.read(path) or b"").partition(b"\n")
    if line != b"%s %s" % (_MAGIC, hashlib.sha256(body).hexdigest().encode()):
        raise LedgerError("An archive of finished jobs is damaged.", file=str(path), advice="Bring it back from a copy of that folder.")
    try:
        batch = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path) from error
    if not isinstance(batch, dict) or not isinstance(batch.get("jobs"), list):
        raise _unreadable(path)
    return batch


def _unreadable(path: Path) -> LedgerError:
    """Whole, by its digest, and yet not what we write: another version's, perhaps."""
    return LedgerError("An archive of finished jobs cannot be understood.", file=str(path), advice="Start the Trax that wrote it.")
