"""Forgetting an enrolled person: the voice, and the name wherever Trax gave it and can still take it back.

That it is to be done is made durable first, as of a purge. Then the folder of the person goes: from then on nobody is given that name.
Of a completed job that named them, the speakers are then sought anew; the former transcript is not kept, nor are older ones that name them.
"""

from __future__ import annotations

from typing import Any

from loguru import logger

from trax import files
from trax.errors import DiskFailed, TraxError
from trax.jobs import requests, speakers
from trax.jobs.folders import Part, StateFolders, subfolders
from trax.jobs.job import Status
from trax.jobs.ledger import Ledger
from trax.pipeline import artefacts, former
from trax.pipeline.stages import NAME
from trax.service.working import Workshop


class Forgetting:
    """Forgets people. Everything is done between two awaits."""

    def __init__(self, folders: StateFolders, ledger: Ledger, workshop: Workshop) -> None:
        self._folders = folders
        self._ledger = ledger
        self._workshop = workshop

    def forget(self, name: str) -> dict[str, Any]:
        """Forget everything about the person; returns the jobs whose transcripts are made anew, and those of which that cannot be.

        Somebody who is not enrolled may still be named by jobs. Raises SpeakerError for what is no name, StorageError.
        """
        name = speakers.checked_name(name)
        intention = requests.leave(self._folders, {"command": "forget", "speaker": name})
        files.remove_tree(self._folders.speakers / name)
        rewritten: list[str] = []
        refused: list[dict[str, Any]] = []
        for folder in [each for part in Part for each in subfolders(self._folders.root / part)]:
            former.drop_naming(folder, name)
            if name in speakers.names_in(folder / str(NAME.file)):
                self._take_back(folder.name, rewritten, refused)
        files.remove(intention)
        logger.info("an enrolled voice was forgotten, as asked; {} transcripts are made anew", len(rewritten))
        return {"forgotten": name, "rewritten": rewritten, "refused": refused}

    def _take_back(self, job_id: str, rewritten: list[str], refused: list[dict[str, Any]]) -> None:
        status = self._ledger.status(job_id)
        if status in {Status.COMPLETED, Status.RUNNING}:  # one that waits will name nobody who is not enrolled; others have no transcript
            try:
                self._workshop.rediarize(job_id, {}, is_kept=False)
            except DiskFailed:
                raise
            except TraxError as error:
                refused.append({"job": job_id, "error": error.as_dict()})
            else:
                rewritten.append(job_id)
        folder = self._folders.find(job_id)
        if folder is not None and status is not Status.RUNNING:
            artefacts.forget(folder, NAME)
            files.remove(folder / str(NAME.file))
