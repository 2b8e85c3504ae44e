"""Removing every trace of a job: what it published, its recording and artefacts, and all that is remembered of it.

That it is to be purged is made durable first, as a request: should Trax be ended in between, the next start does the rest. Every step can
be done again. The outputs go before the job's folder, whose manifest names them; the folder goes before the ledger's record, without
which recovery would take the folder for a lost job and adopt it.
"""

from __future__ import annotations

from dataclasses import dataclass

from loguru import logger

from trax import files
from trax.config import Settings
from trax.jobs import requests
from trax.jobs.folders import Part, StateFolders
from trax.jobs.job import check_purge, is_job_id
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import SIDE_FOLDER
from trax.jobs.seen import Seen
from trax.log import about
from trax.pipeline.publish import Manifest, read_manifest, withdraw


@dataclass(frozen=True, slots=True)
class Purge:
    """What may be purged: the job's id, and other jobs over the same bytes: what they keep is theirs, and says the same."""

    job: str
    same_recording: tuple[str, ...]


class Purger:
    """Purges finished jobs. Everything is done between two awaits: nothing else changes the state in the meantime."""

    def __init__(self, settings: Settings, folders: StateFolders, ledger: Ledger, seen: Seen) -> None:
        self._inbox = settings.inbox_folder
        self._outbox = settings.outbox_folder
        self._folders = folders
        self._ledger = ledger
        self._seen = seen

    def look(self, text: str, *, is_begun: bool) -> Purge:
        """Find the job that `text` names. Raises JobError when there is none or it is not finished, and LedgerError.

        Of one whose purge `is_begun`, or whose record was lost, the ledger may know nothing: it goes by its whole id.
        """
        if is_job_id(text) and text not in self._ledger and (is_begun or self._folders.find(text)):
            return Purge(text, ())
        job = self._ledger.find(text)
        check_purge(job)
        same = (other.id for other in self._ledger.everything() if job.media_id and other.media_id == job.media_id)
        return Purge(job.id, tuple(sorted(other for other in same if other != job.id)))

    def purge(self, job_id: str) -> tuple[str, ...]:
        """Remove every trace of the job, durably; returns what went out of the outbox, relative to it.

        Raises StorageError: what is left to do is then done at the next start.
        """
        intention = requests.leave(self._folders, {"command": "purge", "jobs": [job_id], "begun": True})
        withdrawn = self._withdraw(job_id)
        for part in Part:
            files.remove_tree(self._folders.root / part / job_id)
        self._seen.forget(job_id)
        self._ledger.forget(job_id)
        files.remove(intention)
        with about(job_id):
            logger.info("purged, as asked")
        return withdrawn

    def _withdraw(self, job_id: str) -> tuple[str, ...]:
        folder, job = self._folders.find(job_id), self._ledger.get(job_id)
        others = {other.output_name for other in self._ledger.everything() if other.id != job_id}
        withdrawn = withdraw(self._outbox, read_manifest(folder) if folder else Manifest(), job.output_name if job else "", others)
        for side in (self._outbox / SIDE_FOLDER / job_id, self._inbox / SIDE_FOLDER / job_id):
            files.remove_tree(side)
        return withdrawn
