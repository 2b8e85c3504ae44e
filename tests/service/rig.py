"""The daemon of the service's tests: the benchmarks' appliance, with what tests ask of it besides."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import psutil
from appliance import Appliance, read_json

from trax.cli.client import ask
from trax.jobs.job import FINISHED, Job, Status

CONVERSATION = Path(__file__).resolve().parents[2] / "tests" / "speech" / "conversation.ogg"
RATE = 16_000
#: Seconds a busy machine may take for anything asked here.
PATIENCE = 100.0
FORMATS = ("json", "srt", "vtt", "txt", "rttm", "ctm")
#: Settings that wait for little.
QUICK: dict[str, Any] = {
    "intake": {"settle_seconds": 0.5},
    "retries": {"first_delay_seconds": 0.1},
    "output": {"formats": list(FORMATS)},
    "log": {"level": "DEBUG"},
}
#: The words alone.
WORDS: dict[str, Any] = {**QUICK, "stages": {"diarize": False}, "output": {"formats": ["json", "srt"]}}


class Traxd(Appliance):
    """A daemon that can be asked, waited for and killed. Starting it again over the same root is another `with`."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_until(self.answers, PATIENCE)
        return self

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        return ask(self.socket, {"command": command, **arguments}, timeout=PATIENCE)

    def put(self, source: Path, name: str | bytes) -> None:
        """Copy a file into the inbox under any name, subfolders included, in one step."""
        target = self.inbox / os.fsdecode(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(".staged")
        shutil.copyfile(source, staged)
        staged.rename(target)

    def jobs_of(self, name: str) -> list[Job]:
        """The jobs of one recording, oldest first."""
        return [job for job in self.jobs() if job.source_name == name]

    def job(self, name: str) -> Job:
        (job,) = self.jobs_of(name)
        return job

    def wait_for(self, name: str, *statuses: Status) -> Job:
        """Wait until the recording's job has one of these statuses, by default until it is finished; and its folder is filed away."""

        def is_there() -> bool:
            found = [job for job in self.jobs_of(name) if job.status in (statuses or FINISHED)]
            return any(not (job.is_finished and self.folder("work", job).exists()) for job in found)

        self.wait_until(is_there, PATIENCE)
        return self.job(name)

    def wait_for_stage(self, name: str, stage: str) -> Job:
        """Wait until the job is in the middle of a stage, and hold it there: the busy workers stand still, however fast the machine."""
        self.wait_until(lambda: any(view["stage"] == stage for view in self.ask("status")["running"]), PATIENCE, every_s=0.05)
        for worker in self.ask("status")["daemon"]["workers"]:
            if worker["busy"]:
                psutil.Process(worker["pid"]).suspend()
        return self.job(name)

    def transcript(self, name: str) -> dict[str, Any]:
        return read_json(self.outbox / f"{name}.json")

    def error(self, name: str) -> dict[str, Any]:
        return read_json(self.outbox / f"{name}.error.json")

    def folder(self, part: str, job: Job) -> Path:
        return self.state / part / job.id

    def worker(self, lane: str) -> psutil.Process:
        (pid,) = (worker["pid"] for worker in self.ask("status")["daemon"]["workers"] if worker["lane"] == lane)
        return psutil.Process(pid)

    def kill(self) -> None:
        """End the daemon as a crash does, and wait until it and all its processes are gone."""
        family = self.processes()
        super().kill()
        assert_gone(family)


def heed_modes() -> None:
    """Root may read and write what nobody may: have what follows in this process run without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    drop_from_bounding_set = 24  # PR_CAPBSET_DROP of prctl(2)
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


def assert_gone(processes: Iterable[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(list(processes), timeout=PATIENCE)
    assert alive == []


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells whether a stage was run again: a stamp written anew is another file."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.stamp")}


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
