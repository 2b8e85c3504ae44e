"""Small disks, the ballast that fills them, a daemon over them and a witness: what the attacks with full disks share.

All of it needs a mount namespace of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from appliance import Appliance

from trax.cli.client import ask
from trax.errors import ControlError
from trax.jobs.job import Job, Status

#: Outputs of an undisturbed run, by the recording's stem and their ending.
Outputs = Mapping[str, Mapping[str, object]]

PATIENCE_S = 240.0
FORMATS = ["json", "srt", "vtt"]
_SHORT_PATIENCE = "from trax.service import endings, room, working; room.LOOK_AGAIN = working.LOOK_AGAIN = 0.5"
#: Changes to a daemon: without the check for room before a job starts; with the check, and room for a ledger of 2 MiB.
NO_CHECK = "room.missing = lambda *_, **__: room.Bytes()"
SMALL_RESERVE = "room.LEDGER_BYTES = 2 << 20"
_RUN = "from trax.service.main import main; raise SystemExit(main())"
#: What differs between two runs over the same recording.
_OF_THE_RUN = ("run", "job")


class Rooms(Appliance):
    """A daemon whose inbox, outbox and state lie in folders of their own below `root`, each of which may be a mount."""

    def __init__(self, root: Path, *changes: str, disks: Mapping[str, str]) -> None:
        code = "; ".join((_SHORT_PATIENCE, *changes, _RUN))
        settings = {
            **disks,
            "intake": {"settle_seconds": 0.3, "rescan_seconds": 1.0},
            "output": {"formats": FORMATS},
            "retries": {"first_delay_seconds": 0.1},
            "log": {"level": "DEBUG"},
        }
        super().__init__(root, settings, command=(sys.executable, "-c", code))
        self.inbox, self.outbox, self.state = (root / disks[part] for part in ("inbox", "outbox", "state"))
        self.socket.parent.mkdir(parents=True, exist_ok=True)

    def status(self) -> dict[str, Any]:
        """What the daemon says over its socket."""
        return ask(self.socket, {"command": "status"}, timeout=30.0)

    def refusal(self) -> str:
        """Why it does not say how it stands; empty when it does."""
        try:
            self.status()
        except ControlError as error:
            return error.what
        return ""

    def is_up(self) -> bool:
        """Whether it works."""
        return not self.refusal()

    def put(self, source: Path, name: str) -> None:
        """Copy a file into the inbox and give it its name in one step."""
        shutil.copyfile(source, self.inbox / f".{name}")
        (self.inbox / f".{name}").rename(self.inbox / name)

    def job(self, name: str) -> Job | None:
        """The job of a recording, if it has one."""
        return next((job for job in self.jobs() if job.source_name == name), None)

    def waits(self, name: str) -> bool:
        """Whether the status says that a recording, in the inbox or in a job, waits for something."""
        status = self.status()
        jobs = [*status["queued"], *status["running"], *status["failed"], *status["recent"]]
        return any(each["name"] == name for each in status["untaken"]) or any(
            job["name"] == name and job["waits_for"] is not None for job in jobs
        )

    def is_filed(self, name: str) -> bool:
        """Whether nothing more is to be done about a recording."""
        job = self.job(name)
        return job is not None and job.is_finished and not (self.state / "work" / job.id).exists()


def mount(folder: Path, megabytes: int) -> None:
    """A disk of that size."""
    folder.mkdir(parents=True, exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0770", "none", folder)


def command(*words: str | Path) -> None:
    """Run it. Raises CalledProcessError."""
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def ballast(disk: Path, free: int) -> Iterator[None]:
    """The disk with `free` bytes left, for the block."""
    path = disk / ".ballast"
    found = os.statvfs(disk)
    with path.open("wb") as handle:
        if (size := found.f_bavail * found.f_frsize - free) > 0:
            os.posix_fallocate(handle.fileno(), 0, size)
    try:
        yield
    finally:
        path.unlink()


def plain(path: Path) -> object:
    """An output without what is of its run alone."""
    if path.suffix != ".json":
        return path.read_bytes()
    content = json.loads(path.read_bytes())
    return {key: value for key, value in content.items() if key not in _OF_THE_RUN}


class Witness:
    """Watches a daemon for violations."""

    def __init__(self, daemon: Rooms, expected: Outputs) -> None:
        self.daemon = daemon
        self.violations: list[str] = []
        self.waited = 0
        self._expected = expected
        self._pid = daemon.pid

    def look(self, where: str) -> None:
        """The outbox holds nothing partial: a file that is there is whole, and with a JSON all the others are."""
        for path in self.daemon.outbox.glob("*"):
            if path.name.startswith("."):
                continue
            try:
                self._check(path, where)
            except FileNotFoundError:
                continue  # it was replaced while we looked
            except ValueError:
                self.violations.append(f"{where}: {path.name} is not whole")

    def _check(self, path: Path, where: str) -> None:
        stem, _, ending = path.name.partition(".")
        if ending == "error.json":
            json.loads(path.read_bytes())
        elif stem not in self._expected or plain(path) != self._expected[stem][ending]:
            self.violations.append(f"{where}: {path.name} is not what an undisturbed run wrote")
        elif ending == "json" and not all((self.daemon.outbox / f"{stem}.{each}").exists() for each in FORMATS):
            self.violations.append(f"{where}: {path.name} is there before what it names")

    def wait_until_it_waits(self, name: str, where: str) -> None:
        """Until the recording is done after all, or says that it waits."""
        self.daemon.wait_until(lambda: self.daemon.is_filed(name) or self.daemon.waits(name), PATIENCE_S, each=lambda: self.look(where))
        self.waited += not self.daemon.is_filed(name)

    def wait_until_done(self, name: str, where: str, status: Status = Status.COMPLETED) -> None:
        """Until there is nothing left to do about the recording, which then has exactly one answer and no attempt charged."""
        self.daemon.wait_until(lambda: self.daemon.is_filed(name), PATIENCE_S, each=lambda: self.look(where))
        job, stem = self.daemon.job(name), Path(name).stem
        endings = FORMATS if status is Status.COMPLETED else ["error.json"]
        found = sorted(path.name for path in self.daemon.outbox.glob(f"{stem}*"))
        assert job is not None
        if job.status is not status:
            self.violations.append(f"{where}: {name} ended as {job.status}: {job.error}")
        elif found != sorted(f"{stem}.{ending}" for ending in endings):
            self.violations.append(f"{where}: {name} was answered with {found}")
        if job.attempts > 1:
            self.violations.append(f"{where}: {name} was charged {job.attempts} attempts")
        self.look(where)

    def finish(self, where: str) -> list[str]:
        """What was seen; the daemon is still the one that was started, and nothing is left in work."""
        if self.daemon.pid != self._pid or not psutil.pid_exists(self._pid):
            self.violations.append(f"{where}: the daemon is not the one that was started")
        if left := sorted(path.name for path in (self.daemon.state / "work").iterdir()):
            self.violations.append(f"{where}: {left} are left in work")
        return self.violations


@contextmanager
def held_in(daemon: Rooms, stage: str | None, name: str) -> Iterator[Callable[[], None]]:
    """Wait until the job is in the stage (None: in any), or is done already; hold the busy workers until what this gives is called."""

    def is_there() -> bool:
        return daemon.is_filed(name) or any(stage in (None, view["stage"]) for view in daemon.status()["running"])

    daemon.wait_until(is_there, PATIENCE_S, every_s=0.01)
    held = [psutil.Process(worker["pid"]) for worker in daemon.status()["daemon"]["workers"] if worker["busy"]]
    for process in held:
        process.suspend()

    def resume() -> None:
        while held:
            with suppress(psutil.NoSuchProcess):  # it was killed
                held.pop().resume()

    try:
        yield resume
    finally:
        resume()
