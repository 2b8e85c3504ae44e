"""Hostile names: the daemon lives, every file is answered once, inside the outbox, and nobody is shown a character that acts."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from appliance import Appliance, ApplianceError, read_json, trax_ctl

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.hostile_names import hostile_names
from trax.jobs.job import FINISHED, Job
from trax.text import is_visible

_PATIENCE_S = 240.0
_SETTINGS = {
    "intake": {"settle_seconds": 0.3, "rescan_seconds": 2.0},
    "stages": {"diarize": False},
    "output": {"formats": ["json", "srt", "vtt", "txt", "rttm", "ctm"]},
    "log": {"level": "DEBUG"},
}
#: Fields of each line of the formats that separate fields by white space.
_FIELDS = {".rttm": 10, ".ctm": 6}
#: What trax-ctl itself tells a terminal: colours, and where the cursor goes.
_OF_TRAX_CTL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def attack(size: Size, work: Path) -> Findings:
    """See the module."""
    names = hostile_names(size.pick(300, 300, 40), size.seed)
    clips = speech_clips(work / "clips", size.pick(40, 8, 2), seed=size.seed)
    shown = size.pick(60, 6, 2)
    root = work / "root"
    (work / "beside").mkdir()
    violations: list[str] = []
    with Appliance(root, _SETTINGS) as trax:
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        before = _outside(work, root)
        for number, name in enumerate(names):
            # a recording for some, for the others an empty file, which is answered at once
            _drop(trax.inbox, name, clips[number * len(clips) // len(names)] if number % (len(names) // len(clips)) == 0 else None, number)
        try:
            trax.wait_until(lambda: sum(job.status in FINISHED for job in trax.jobs()) >= len(names), _PATIENCE_S)
            trax.wait_until(lambda: not any((root / "state" / "work").iterdir()), _PATIENCE_S)
        except ApplianceError as error:
            violations.append(f"not every file was answered: {error}")
        jobs = trax.jobs()
        violations += _answered_once(jobs, names, trax.outbox)
        violations += [f"trax-ctl {line}" for line in _shown_by_trax_ctl(root, jobs[:: max(1, len(jobs) // shown)])]
        violations += _seen_in_files(root, trax.outbox)
        if _outside(work, root) != before:
            violations.append("something changed outside of inbox, outbox and state")
    done = sum(job.status.value == "completed" for job in jobs)
    tried = (
        f"{len(names)} files with hostile names, some in folders with such names, {done} of them recordings: not UTF-8, line breaks, "
        "leading dashes, dots that look like a way up, escape sequences, bidirectional and invisible characters, up to 255 bytes, equal "
        "but for case or composition, named like results. Every answer, the daemon's log at DEBUG, trax-ctl status and show of "
        f"{min(shown, len(jobs))} jobs (text, on a terminal, and as JSON) were searched for characters that act."
    )
    return Findings(tried, tuple(violations))


def _drop(inbox: Path, name: str, clip: Path | None, number: int) -> None:
    """As a person whose system takes paths of any length: folder by folder."""
    *folders, last = name.split("/")
    descriptor = os.open(inbox, os.O_DIRECTORY)
    for folder in folders:
        if folder not in os.listdir(descriptor):  # noqa: PTH208 - by descriptor
            os.mkdir(folder, dir_fd=descriptor)
        following = os.open(folder, os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
    data = clip.read_bytes() + bytes(2 * number) if clip else b""
    with os.fdopen(os.open(last, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=descriptor), "wb") as file:
        file.write(data)
    os.close(descriptor)


def _outside(work: Path, root: Path) -> set[str]:
    """Everything below `work` but the insides of inbox, outbox and state, and what stands in the log."""
    inside = {root / part for part in ("inbox", "outbox", "state")}
    found: set[str] = set()
    for folder, folders, files in os.walk(work):
        folders[:] = [each for each in folders if Path(folder) / each not in inside]
        found |= {os.path.join(folder, each) for each in (*folders, *files)}  # noqa: PTH118 - names may be any bytes
    return found


def _answered_once(jobs: list[Job], names: tuple[str, ...], outbox: Path) -> Iterator[str]:
    dropped, taken = Counter(names), Counter(job.source_name for job in jobs)
    yield from (f"{name!a} was not taken in" for name in dropped - taken)
    yield from (f"{name!a} was taken in more than once" for name in taken - dropped)
    answers = [path for path in outbox.rglob("*.json") if path.is_file()]
    by_job = Counter(_job_of(read_json(path)) for path in answers)
    yield from (f"{job.source_name!a} has {by_job[job.id]} answers" for job in jobs if by_job[job.id] != 1)
    for path in outbox.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            yield f"{path.name!a} in the outbox is no file"


def _job_of(answer: dict[str, object]) -> object:
    run = answer.get("run")
    return run["job"] if isinstance(run, dict) else answer.get("job")


def _seen_in_files(root: Path, outbox: Path) -> Iterator[str]:
    yield from _harmful("the log", (root / "traxd.log").read_bytes())
    for path in outbox.rglob("*"):
        yield from _harmful("the name of an output", os.fsencode(path.relative_to(outbox)))
        if path.is_file():
            yield from _harmful(f"the output {path.name!a}", path.read_bytes())
            if wanted := _FIELDS.get(path.suffix):
                lines = path.read_text(encoding="utf-8").splitlines()
                yield from (f"{path.name!a} has a line of other than {wanted} fields" for line in lines if len(line.split()) != wanted)


def _shown_by_trax_ctl(root: Path, jobs: list[Job]) -> Iterator[str]:
    for command in (["status"], *(["show", job.id] for job in jobs)):
        text = _ask(root, *command)
        yield from _harmful(" ".join(command), text)
        plain = _ask(root, "--json", *command)
        if not plain.isascii() or not isinstance(json.loads(plain), dict):
            yield f"--json {' '.join(command)}: not ASCII"
    for command in (["status"], *(["show", job.id] for job in jobs[:2])):
        shown = _OF_TRAX_CTL.sub("", _on_a_terminal(root, *command)).replace("\r\n", "\n")
        yield from _harmful(f"{' '.join(command)} on a terminal", shown.encode())


def _ask(root: Path, *arguments: str) -> bytes:
    told = subprocess.run(trax_ctl(root, *arguments), capture_output=True, check=False, timeout=_PATIENCE_S)
    return told.stdout if told.returncode == 0 else b"\x00 failed: " + told.stderr


def _on_a_terminal(root: Path, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(trax_ctl(root, *arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other end was closed
            pass
    os.close(ours)
    return shown.decode("utf-8", "surrogateescape")


def _harmful(what: str, shown: bytes) -> Iterator[str]:
    """A violation when what is shown is no UTF-8 or holds a character that is not simply seen."""
    text = shown.decode("utf-8", "surrogateescape")
    found = sorted({character for character in text if character != "\n" and not is_visible(character)})
    if found:
        yield f"{what} shows {''.join(found)!a}"
