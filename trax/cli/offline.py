"""What trax-ctl does where no daemon answers: it reads the ledger, and leaves requests that the daemon applies when it starts.

What reads the ledger is loaded only then: a status that a running daemon gives is to be there at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trax import files
from trax.config import Settings
from trax.errors import DaemonAbsent, DaemonBusy, TraxError
from trax.jobs import job as machine
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job
from trax.jobs.requests import leave

if TYPE_CHECKING:
    from trax.jobs.ledger import Ledger


def open_ledger(settings: Settings) -> Ledger:
    """The ledger, for reading.

    Raises:
        DaemonAbsent: There is none, or it may not be read.
        LedgerError: It is damaged.
    """
    from trax.jobs.ledger import Ledger

    folder = StateFolders(settings.state_folder).ledger
    try:
        os.scandir(folder).close()
        return Ledger.read_only(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "traxd is not running, and there is no ledger here yet."
        raise DaemonAbsent(what, file=str(folder), advice="Start traxd, or name the right settings with --config.") from error
    except PermissionError as error:
        what = "traxd is not running, and you may not read its ledger."
        raise DaemonAbsent(what, file=str(folder), advice="Join the group trax, or use sudo.") from error


def is_locked(settings: Settings) -> bool:
    """Whether a daemon holds this root though it does not listen: it is starting or stopping.

    Looked up in the kernel's list, because trying the lock would keep a daemon from starting in that moment.
    """
    try:
        inode = StateFolders(settings.state_folder).lock.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in locks)


def status(settings: Settings) -> dict[str, Any]:
    """The status as far as the ledger knows it: `daemon` is None and nothing has progress. Raises as `open_ledger`."""
    from trax.service.views import status_view

    return status_view(open_ledger(settings))


def show(settings: Settings, text: str) -> dict[str, Any]:
    """The one job that `text` names. Raises JobError, and as `open_ledger`."""
    from trax.service.views import job_details

    return job_details(open_ledger(settings).find(text), StateFolders(settings.state_folder), settings.outbox_folder)


def retry(settings: Settings, request: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a retry for the daemon to apply; jobs that cannot be retried are refused at once.

    Raises DaemonBusy, StorageError, and as `open_ledger`.
    """
    _refuse_while_starting(settings)
    ledger = open_ledger(settings)
    failed = [job.id for job in ledger.failed()] if request["failed"] else []
    is_otherwise = request["current_settings"] or request["language"] is not None
    found, refused = _sort_out(
        ledger, request["jobs"], lambda job: machine.retry(job, time.time(), _own_settings(job) if is_otherwise else None)
    )
    wanted = [*failed, *found]
    if wanted:
        _leave(settings, {**request, "jobs": [] if request["failed"] else wanted})
    return {"retried": [], "refused": refused, "requested": wanted}


def rediarize(settings: Settings, request: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a `rediarize` for the daemon to apply; jobs of which it cannot be done are refused at once. Raises as `retry`."""
    from trax.pipeline import rediarize as pipeline

    _refuse_while_starting(settings)
    folders = StateFolders(settings.state_folder)

    def check(job: Job) -> None:
        machine.rediarize(job, time.time(), pipeline.settings_for(job, request["diarize"]))
        pipeline.check(job, folders.find(job.id))

    wanted, refused = _sort_out(open_ledger(settings), request["jobs"], check)
    if wanted:
        _leave(settings, {**request, "jobs": wanted})
    return {"rediarized": [], "refused": refused, "requested": wanted}


def cancel(settings: Settings, request: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a cancellation for the daemon to apply. Raises DaemonBusy, JobError, StorageError, and as `open_ledger`."""
    _refuse_while_starting(settings)
    job = open_ledger(settings).find(request["job"])
    machine.cancel(job, time.time())
    _leave(settings, {**request, "job": job.id})
    return {"cancelled": None, "requested": [job.id]}


def purge(settings: Settings, request: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a purge for the daemon to apply; jobs that are not finished are refused at once. Raises as `retry`."""
    _refuse_while_starting(settings)
    wanted, refused = _sort_out(open_ledger(settings), request["jobs"], machine.check_purge)
    if wanted:
        _leave(settings, {**request, "jobs": wanted})
    return {"purged": [], "removed": [], "refused": refused, "requested": wanted, "same_recording": []}


def forget(settings: Settings, request: Mapping[str, Any]) -> dict[str, Any]:
    """Forget somebody's voice now, and leave it to the daemon to take back the name. Raises DaemonBusy, StorageError."""
    _refuse_while_starting(settings)
    _leave(settings, request)
    files.remove_tree(StateFolders(settings.state_folder).speakers / str(request["speaker"]))
    return {"forgotten": request["speaker"], "rewritten": [], "refused": [], "outputs": []}


def _sort_out(ledger: Ledger, texts: Iterable[str], check: Callable[[Job], object]) -> tuple[list[str], list[dict[str, Any]]]:
    """The ids of the jobs that `check` lets pass, and why the others may not be changed."""
    wanted: list[str] = []
    refused: list[dict[str, Any]] = []
    for text in texts:
        try:
            job = ledger.find(text)
            check(job)
        except TraxError as error:
            refused.append({"job": text, "error": error.as_dict()})
        else:
            wanted.append(job.id)
    return wanted, refused


def _refuse_while_starting(settings: Settings) -> None:
    # a daemon that is past its look at the requests would find this one only at its next start
    if is_locked(settings):
        raise DaemonBusy("traxd is starting or stopping.")


def _leave(settings: Settings, request: Mapping[str, Any]) -> None:
    path = leave(StateFolders(settings.state_folder), request)
    # A daemon takes the lock before it looks at the requests. When one has it now, it started meanwhile and has done this one, or it looked
    # too early: then nobody would before its next start, and whoever asked must hear of it.
    if is_locked(settings) and path.exists():
        files.remove(path)
        raise DaemonBusy("traxd is starting.")


def _own_settings(job: Job) -> tuple[Mapping[str, Any], str, tuple[str, ...]]:
    # only to ask the state machine whether it would do: which settings are current is the daemon's to say
    return job.settings, job.settings_hash, job.stages
