"""What the control socket can be asked: reading answers from the ledger and from memory, changing goes to the workshop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from loguru import logger

from trax import __version__, files
from trax.config import Settings
from trax.errors import ControlError, DiskFailed, DiskFull, JobError, LedgerError, StorageError, TraxError
from trax.intake.names import printable
from trax.jobs import requests
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.languages import checked_language
from trax.pipeline.lanes import Lanes
from trax.pipeline.snapshots import Otherwise
from trax.service.forgetting import Forgetting
from trax.service.purging import Purger
from trax.service.receiving import Receiver
from trax.service.views import job_details, job_view, status_view, worker_view
from trax.service.working import Workshop


class Commands:
    """Answers requests. `handle` is the control socket's handler; `apply_requests` does what was asked while no daemon ran."""

    def __init__(
        self,
        settings: Settings,
        folders: StateFolders,
        ledger: Ledger,
        workshop: Workshop,
        receiver: Receiver,
        purger: Purger,
        lanes: Lanes,
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._ledger = ledger
        self._workshop = workshop
        self._receiver = receiver
        self._purger = purger
        self._lanes = lanes
        self._forgetting = Forgetting(folders, ledger, workshop)
        self._started = time.time()

    async def handle(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The result of one request. Raises ControlError when it is none, JobError when it does not fit the job."""
        match request:
            case {"command": "ping"}:
                return {"version": __version__, "pid": os.getpid()}
            case {"command": "status"}:
                return status_view(self._ledger, view=self._view, daemon=self._daemon(), untaken=self._receiver.untaken())
            case {"command": "show", "job": str(text)}:
                job = self._ledger.find(text)
                return {**job_details(job, self._folders, self._settings.outbox_folder), **self._live(job)}
            case {"command": "cancel"}:
                done = self._change(request)
                await self._workshop.until_let_go(done["cancelled"])  # whoever has an answer may rely on it, whatever ends Trax next
                return done
            case _:
                return self._change(request)

    def apply_requests(self) -> None:
        """Do what trax-ctl left in `state/requests/`, in order of asking, and what a purge that was ended left of itself."""
        for path in requests.left(self._folders):
            try:
                done = self._change(json.loads(path.read_bytes()))
                for refusal in done.get("refused", ()):
                    logger.warning("a request is refused: {}", refusal["error"]["what"])
            except DiskFailed:
                raise
            except StorageError as error:
                logger.warning("a request waits for the next start: {}: {}", path.name, error)
                continue
            except (TraxError, OSError, ValueError, RecursionError) as error:
                logger.warning("a request could not be done: {}: {}", path.name, error)
            files.remove(path)

    def _change(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a request that changes jobs did, over the socket or left while no daemon ran. Raises as `handle`."""
        match request:
            case {"command": "cancel", "job": str(text)}:
                return {"cancelled": self._workshop.cancel(text)}
            case {"command": "retry", "jobs": list(texts)}:
                return self._retry(texts, request)
            case {"command": "rediarize", "jobs": list(texts), "diarize": dict(changes)}:
                return self._rediarize(texts, changes)
            case {"command": "forget", "speaker": str(name)}:
                return self._forgetting.forget(name)
            case {"command": "purge", "jobs": list(texts)}:
                return self._purge(texts, is_begun=request.get("begun") is True)
            case _:
                raise ControlError("The daemon does not know this request.", advice="Are trax-ctl and traxd of one version?")

    def _retry(self, texts: list[object], request: Mapping[str, Any]) -> dict[str, Any]:
        wanted = [job.id for job in reversed(self._ledger.failed())] if request.get("failed") else []
        otherwise = Otherwise(self._settings if request.get("current_settings") else None, _language_in(request))
        return self._take_up("retried", [*wanted, *texts], lambda text: self._workshop.retry(text, otherwise))

    def _rediarize(self, texts: list[object], changes: Mapping[str, Any]) -> dict[str, Any]:
        return self._take_up("rediarized", texts, lambda text: self._workshop.rediarize(text, changes))

    def _take_up(self, done: str, texts: list[object], take_up: Callable[[str], Job]) -> dict[str, Any]:
        """Have each job taken up that can be; which were is told under the key `done`."""
        taken: list[str] = []
        refused: list[dict[str, Any]] = []
        for text in (text for text in texts if isinstance(text, str)):
            try:
                job = take_up(text)
            except DiskFailed:
                raise
            except DiskFull as error:
                refused.append({"job": text, "error": {**error.as_dict(), "advice": "Make room on the disk, then ask again."}})
            except TraxError as error:
                refused.append({"job": text, "error": error.as_dict()})
            else:
                taken.append(job.id)
        return {done: taken, "refused": refused}

    def _purge(self, texts: list[object], *, is_begun: bool) -> dict[str, Any]:
        """Each job that can be purged is; raises StorageError, after which what is left is done at the next start."""
        purged: list[str] = []
        removed: list[str] = []
        refused: list[dict[str, Any]] = []
        same: set[str] = set()
        for text in (text for text in texts if isinstance(text, str)):
            try:
                purge = self._purger.look(text, is_begun=is_begun)
            except (JobError, LedgerError) as error:
                refused.append({"job": text, "error": error.as_dict()})
                continue
            removed += map(printable, self._purger.purge(purge.job))
            purged.append(purge.job)
            same.update(purge.same_recording)
        return {"purged": purged, "removed": removed, "refused": refused, "same_recording": sorted(same.difference(purged))}

    def _view(self, job: Job) -> dict[str, Any]:
        return {**job_view(job), **self._live(job)}

    def _live(self, job: Job) -> dict[str, Any]:
        waits = self._waits_for(job)
        live = self._workshop.live.get(job.id)
        if live is None:
            return waits
        now = time.monotonic()
        if live.stage is None and not waits:
            waits = {"waits_for": "a worker"}
        return {**waits, "stage": live.stage, "progress": live.fraction, "speed": live.speed(now), "eta_seconds": live.eta_seconds(now)}

    def _waits_for(self, job: Job) -> dict[str, Any]:
        waiting = (self._receiver if job.status is Status.CLAIMED else self._workshop).waiting.get(job.id)
        if waiting:
            return {"waits_for": waiting.what, "missing_bytes": waiting.missing_bytes}
        if owed := self._workshop.endings.owed.get(job.id):
            return {"waits_for": printable(owed)}
        is_put_off = job.status in {Status.CLAIMED, Status.QUEUED} and (job.error or {}).get("code") in {StorageError.code, DiskFull.code}
        return {"waits_for": printable(str((job.error or {})["what"]))} if is_put_off else {}

    def _daemon(self) -> dict[str, Any]:
        workers = [worker_view(worker) for worker in self._lanes.workers()]
        return {"pid": os.getpid(), "version": __version__, "started": self._started, "workers": workers}


def _language_in(request: Mapping[str, Any]) -> str | None:
    """Raises ControlError when what is asked for is no language."""
    if (language := request.get("language")) is None:
        return None
    try:
        return checked_language(str(language))
    except ValueError as error:
        raise ControlError(f"The language {error}.", advice="Are trax-ctl and traxd of one version?") from None
