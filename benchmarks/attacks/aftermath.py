"""What must be so when all that was dropped is answered and the daemon has stopped: one answer each, all bytes kept, nothing left."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from trax.config import Retries
from trax.jobs.folders import SOURCE_FILE, StateFolders, home
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger

_ERROR_ENDING = ".error.json"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How many recordings were answered by a transcript and how many by an error, and what is wrong."""

    transcripts: int
    errors: int
    violations: tuple[str, ...]


def examine(root: Path, dropped: Mapping[str, str]) -> Aftermath:
    """Compare what was dropped (SHA-256 → name) with what lies under `root`, the daemon having stopped."""
    jobs = list(Ledger.read_only(root / "state" / "ledger").everything())
    media = {job.id: job.media_id for job in jobs}
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "outbox").rglob("*.json")):
        plain = json.loads(path.read_bytes())
        sha256 = media.get(plain["job"], "") if path.name.endswith(_ERROR_ENDING) else plain["media"]["sha256"]
        answers[sha256].append(path.name)
    found = [
        *_answers(dropped, answers),
        *_jobs(root, dropped, jobs),
        *(f"{each.relative_to(root)} was left behind." for each in _remains(root)),
        *(f"Process {process.pid} was left behind: {' '.join(process.cmdline())}" for process in _processes(root)),
    ]
    kinds = Counter(name.endswith(_ERROR_ENDING) for names in answers.values() for name in names)
    return Aftermath(kinds[False], kinds[True], tuple(found))


def _answers(dropped: Mapping[str, str], answers: Mapping[str, list[str]]) -> Iterator[str]:
    for sha256, name in dropped.items():
        match answers.get(sha256, []):
            case []:
                yield f"{name} has no answer."
            case [only] if only.split(".")[0] != name:
                yield f"{name} is answered under another name, {only}."
            case [_, _, *_] as several:
                yield f"{name} is answered {len(several)} times: {', '.join(several)}."
    for sha256 in set(answers) - set(dropped):
        yield f"{', '.join(answers[sha256])} answers nothing that was dropped."


def _jobs(root: Path, dropped: Mapping[str, str], jobs: list[Job]) -> Iterator[str]:
    folders = StateFolders(root / "state")
    counts = Counter(job.media_id for job in jobs)
    for sha256, name in dropped.items():
        if counts[sha256] != 1:
            yield f"{name} has {counts[sha256]} jobs."
    for job in jobs:
        source = folders.root / home(job) / job.id / SOURCE_FILE
        if not job.is_finished:
            yield f"Job {job.id} ({job.source_name}) is still {job.status}."
        elif not source.is_file():
            yield f"The recording of job {job.id} ({job.source_name}) is not kept in {home(job)}."
        elif job.status is Status.FAILED and (job.attempts, (job.error or {}).get("code")) != (Retries().max_attempts, "worker-crashed"):
            yield f"Job {job.id} ({job.source_name}) failed after {job.attempts} attempts: {(job.error or {}).get('what')}"
        elif hashlib.sha256(source.read_bytes()).hexdigest() != job.media_id:
            yield f"The recording of job {job.id} ({job.source_name}) is not what was dropped."


def _remains(root: Path) -> list[Path]:
    """What should not be there any more: anything in the inbox, in work or aside, half-written files, and sound of jobs that are done."""
    inbox, outbox, state = root / "inbox", root / "outbox", root / "state"
    left = {path for folder in (inbox, state / "work", outbox / ".trax") for path in folder.rglob("*")}
    left |= {path for folder in (outbox, state) for path in folder.rglob(".trax-*.tmp")}
    left |= set((state / "archive").rglob("pcm.raw"))
    return sorted(left - {inbox / ".trax"})


def _processes(root: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(root) and "trax." in " ".join(process.cmdline()):
                yield process
        except (psutil.Error, OSError):
            continue
