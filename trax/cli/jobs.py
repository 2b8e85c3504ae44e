"""What is asked of the daemon about jobs, or, where none runs, of the ledger and the folder of requests."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.live import Live

from trax.cli import offline, render, render_status
from trax.cli.client import ask
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.config import Settings
from trax.errors import DaemonAbsent, JobError, TraxError
from trax.text import printable

_KEPT = "traxd is not running; the request is kept and applied when it starts."

_REMAINS = (
    "Not Trax's to remove: the name and the id in the system's log (journalctl --vacuum-time=), backups, and copies that people made."
)

#: How long a purge may take, seconds: hours of sound are removed, and every archive of finished jobs is looked through.
_PURGE_SECONDS = 60.0


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of the six."""
    settings = load(args)
    match args.command:
        case "status":
            return _watch(settings, args.interval, terminal) if args.watch else _status(settings, terminal)
        case "show":
            return _show(settings, args.job, terminal)
        case "retry":
            return _retry(settings, args, terminal)
        case "rediarize":
            return _rediarize(settings, args, terminal)
        case "purge":
            return _purge(settings, args, terminal)
        case _:
            return _cancel(settings, args.job, terminal)


def _look(settings: Settings) -> dict[str, Any]:
    try:
        return ask(settings.socket_path, {"command": "status"})
    except DaemonAbsent:
        return offline.status(settings)


def _say_who_answers(settings: Settings, terminal: Terminal) -> None:
    terminal.note(f"traxd is {'starting or stopping' if offline.is_locked(settings) else 'not running'}; the ledger answers.")


def _status(settings: Settings, terminal: Terminal) -> int:
    status = _look(settings)
    if status["daemon"] is None:
        _say_who_answers(settings, terminal)
    terminal.data(status, render_status.status_view(status, time.time(), bars=terminal.is_live))
    return 0


def _watch(settings: Settings, interval: float, terminal: Terminal) -> int:
    """Show the status again and again, until Ctrl-C; a daemon that goes away or comes back changes only what is shown."""
    try:
        if terminal.is_live:
            _watch_live(settings, interval, terminal)
        while True:
            try:
                _status(settings, terminal)
            except TraxError as error:
                terminal.error(error)
            if not terminal.json:
                terminal.line("")
            time.sleep(interval)
    except KeyboardInterrupt:
        return 0  # the way to end it


def _watch_live(settings: Settings, interval: float, terminal: Terminal) -> None:
    with Live(console=terminal.out, auto_refresh=False, screen=True) as live:
        while True:
            try:
                status = _look(settings)
            except TraxError as error:
                live.update(render.error_view(error.as_dict()), refresh=True)
            else:
                live.update(render_status.status_view(status, time.time(), bars=True), refresh=True)
            time.sleep(interval)


def _show(settings: Settings, job: str, terminal: Terminal) -> int:
    details, is_live = _details(settings, job)
    if not is_live:
        _say_who_answers(settings, terminal)
    terminal.data(details, render.job_view(details, time.time(), bars=terminal.is_live))
    return 0


def _details(settings: Settings, job: str) -> tuple[dict[str, Any], bool]:
    """Everything about a job, and whether the daemon said so."""
    try:
        return ask(settings.socket_path, {"command": "show", "job": job}), True
    except DaemonAbsent:
        return offline.show(settings, job), False


def _ask_or_leave(
    settings: Settings,
    request: Mapping[str, Any],
    leave: Callable[[Settings, Mapping[str, Any]], dict[str, Any]],
    terminal: Terminal,
    **options: float,
) -> dict[str, Any]:
    """What the daemon says to a request that changes jobs, or, where none runs, what `leave` says."""
    try:
        return ask(settings.socket_path, request, **options)
    except DaemonAbsent:
        result = leave(settings, request)
        if result["requested"]:
            terminal.note(_KEPT)
        return result


def _tell(done: str, result: Mapping[str, Any], terminal: Terminal) -> int:
    """Say which jobs are `done` ("retried"), or will be, and which are refused; returns the exit code."""
    if terminal.json:
        terminal.line(json.dumps(result))
    else:
        for job in (*result[done], *result.get("requested", ())):
            terminal.line(printable(str(job)))
    for refused in result["refused"]:
        terminal.say(render.refusal_view(refused))
    return 1 if result["refused"] else 0


def _retry(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    request = {
        "command": "retry",
        "jobs": args.jobs,
        "failed": args.failed,
        "current_settings": args.current_settings,
        "language": args.language,
    }
    result = _ask_or_leave(settings, request, offline.retry, terminal)
    if args.failed and not terminal.json and not (result["retried"] or result["refused"] or result.get("requested")):
        terminal.note("No job has failed.")
    return _tell("retried", result, terminal)


def _rediarize(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    request = {"command": "rediarize", "jobs": args.jobs, "diarize": args.changes}
    return _tell("rediarized", _ask_or_leave(settings, request, offline.rediarize, terminal), terminal)


def _purge(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    if not args.yes and not _is_meant(settings, args.jobs, terminal):
        return 1
    result = _ask_or_leave(settings, {"command": "purge", "jobs": args.jobs}, offline.purge, terminal, timeout=_PURGE_SECONDS)
    status = _tell("purged", result, terminal)
    if removed := result["removed"]:
        terminal.note(f"Removed from the outbox: {', '.join(map(printable, removed))}")
    if result["purged"]:
        terminal.note(_REMAINS)
    if same := result["same_recording"]:
        terminal.note(f"The same recording was also done as {', '.join(map(str, same))}: to be rid of it, purge that too.")
    return status


def _is_meant(settings: Settings, jobs: list[str], terminal: Terminal) -> bool:
    """Whether whoever sits at the terminal says so, having seen what goes by the names that were given."""
    if not terminal.can_ask:
        raise JobError("Nothing was removed: this cannot be undone, and there is no terminal to ask in.", advice="Say --yes.")
    for text in jobs:
        terminal.note(_named(settings, text))
    if terminal.confirm("Remove for good: recording, transcripts (corrected ones too), and all that Trax knows of it?"):
        return True
    terminal.note("Nothing was removed.")
    return False


def _named(settings: Settings, text: str) -> str:
    """The job that `text` names, with the name of its recording; `text` alone where no record tells, which may still be purged."""
    try:
        job, _ = _details(settings, text)
    except JobError:
        return text
    return f"{job['name']} ({job['id']})"


def _cancel(settings: Settings, job: str, terminal: Terminal) -> int:
    result = _ask_or_leave(settings, {"command": "cancel", "job": job}, offline.cancel, terminal)
    if terminal.json:
        terminal.line(json.dumps(result))
    else:
        terminal.line(printable(str(result["cancelled"] or result["requested"][0])))
    return 0
