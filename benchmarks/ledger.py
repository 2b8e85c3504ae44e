"""What the ledger costs with 10,000 finished and 200 queued jobs: a transition, and a status; and how soon a second daemon ends.

A transition is one `Ledger.put`, durable when it returns. It is compared with the least that is durable: as many bytes written to a new
file, synced, renamed over the former one, and the folder synced; on the same disk, by turns. The transitions are those of jobs that come,
run and complete, so batches move to the archives among them. The status is asked of a real daemon that has this ledger.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from appliance import Appliance, ApplianceError
from goals import report, report_failure
from machine import this_machine

from trax.cli.client import ask
from trax.config import Settings, settings_hash, snapshot
from trax.jobs import job as machine
from trax.jobs.archives import Archives
from trax.jobs.folders import SOURCE_FILE, StateFolders, write_job
from trax.jobs.job import Job, Status
from trax.jobs.ledger import BATCH, LIVE_FINISHED, Ledger

_FINISHED, _QUEUED = 10_000, 200
_PAIRS = 800
_STATUSES, _REQUESTS, _SECOND_DAEMONS = 20, 100, 20
_TIMEOUT_S = 120.0
_SETTINGS = snapshot(Settings())
_HASH = settings_hash(_SETTINGS)


def a_job(number: int, now: float) -> Job:
    """A claimed job such as a real one."""
    name = f"meetings/board/recording of the weekly meeting {number}"
    identity = machine.new_job_id(now + number, number)
    stages = ("decode", "vad", "transcribe", "embed", "turns", "merge")
    return Job(identity, f"{name}.mp3", name, stages, _SETTINGS, _HASH, created=now + number, changed=now + number)


def queued(number: int, now: float) -> Job:
    """A job that passed validation."""
    return machine.accept(a_job(number, now), media_id=f"{number:064x}", size=12_345_678, modified=time.time_ns(), now=now + number)


def completed(number: int, now: float) -> Job:
    """A job that was done at once."""
    done = machine.complete(machine.start(queued(number, now), now + number), now + number)
    return replace(done, duration=1832.64)


def fill(root: Path) -> None:
    """Make a root with all these jobs; the queued ones have their folders, and wait beyond the end of this run."""
    folders = StateFolders(root / "state")
    folders.make()
    began = time.time() - 2 * _FINISHED
    archived = _FINISHED - LIVE_FINISHED
    Ledger(folders.ledger).put(completed(archived, began))  # archives without a snapshot would be a ledger that lost both
    archives = Archives(folders.ledger)
    for first in range(0, archived, BATCH):
        archives.add([completed(number, began) for number in range(first, first + BATCH)])
    ledger = Ledger(folders.ledger)
    for number in range(archived, _FINISHED):
        ledger.put(completed(number, began))
    for number in range(_FINISHED, _FINISHED + _QUEUED):
        job = replace(queued(number, began), not_before=time.time() + 86_400)
        (folders.work / job.id).mkdir()
        (folders.work / job.id / SOURCE_FILE).write_bytes(b"sound")
        write_job(folders.work / job.id, job)
        ledger.put(job)


def _lives(ledger: Ledger) -> Iterator[Job]:
    """The next states of jobs that come and go: as many wait as before."""
    now = time.time()
    for number, waiting in enumerate(ledger.by_status(Status.QUEUED)):
        yield a_job(number, now)
        yield queued(number, now)
        running = machine.start(waiting, now)
        yield running
        yield machine.complete(running, now + 1)


def _write(folder: Path, data: bytes) -> None:
    with (folder / "bare.tmp").open("xb", buffering=0) as handle:
        handle.write(data)
        os.fsync(handle.fileno())
    (folder / "bare.tmp").rename(folder / "bare")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def transitions(root: Path) -> tuple[list[float], list[float], int]:
    """The seconds of each transition, those of each bare write, and the bytes of the last."""
    folder = root / "state" / "ledger"
    ledger = Ledger(folder)
    ours, bare, size = [], [], 0
    for _, job in zip(range(_PAIRS), _lives(ledger), strict=False):
        began = time.perf_counter()
        ledger.put(job)
        ours.append(time.perf_counter() - began)
        size = max(path.stat().st_size for path in folder.glob("ledger-?.json"))
        data = os.urandom(size)
        began = time.perf_counter()
        _write(root, data)
        bare.append(time.perf_counter() - began)
    return ours, bare, size


def statuses(root: Path) -> tuple[list[float], list[float], list[float]]:
    """Seconds of `trax-ctl status` as a process, of the request alone, and until a second daemon has ended; over a real daemon."""
    with Appliance(root) as appliance:
        appliance.wait_until(appliance.answers, _TIMEOUT_S)
        counts = ask(appliance.socket, {"command": "status"})["counts"]
        if (counts["completed"], counts["queued"]) != (_FINISHED, _QUEUED):
            raise ApplianceError(f"The daemon has other jobs than it was given: {json.dumps(counts)}.")
        config = ["--config", str(root / "trax.yaml")]
        shown = [_seconds([sys.executable, "-m", "trax.cli.main", *config, "status"], expected=0) for _ in range(_STATUSES)]
        second = [_seconds([sys.executable, "-m", "trax.service.main", *config], expected=75) for _ in range(_SECOND_DAEMONS)]
        asked = []
        for _ in range(_REQUESTS):
            began = time.perf_counter()
            ask(appliance.socket, {"command": "status"})
            asked.append(time.perf_counter() - began)
    return shown, asked, second


def _seconds(command: Sequence[str], *, expected: int) -> float:
    began = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S)
    took = time.perf_counter() - began
    if ended.returncode != expected:
        raise ApplianceError(f"{' '.join(command)} exits {ended.returncode}: {ended.stderr.decode(errors='replace')}")
    return took


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def _line(what: str, seconds: Sequence[float]) -> str:
    median, late, last = (1e3 * value for value in (statistics.median(seconds), _p99(seconds), max(seconds)))
    return f"{what}: median {median:.2f} ms, 99th percentile {late:.2f} ms, at most {last:.2f} ms ({len(seconds)} times)"


def main() -> int:
    """Measure, print the figures and the goals; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="trax-ledger-") as work:
        root = Path(work) / "root"
        try:
            fill(root)
            shown, asked, second = statuses(root)
            ours, bare, size = transitions(root)
        except ApplianceError as error:
            return report_failure("ledger", str(error))
    print(f"machine: {this_machine()}\n")
    print(f"{_FINISHED} finished and {_QUEUED} queued jobs, a snapshot of {size} bytes")
    print(_line("a transition", ours))
    print(_line("as many bytes written, synced, renamed, folder synced", bare))
    print(_line("trax-ctl status", shown))
    print(_line("the request alone", asked))
    print(_line("a second daemon until it has ended", second), end="\n\n")
    return report(
        "ledger",
        {
            "ledger_transition_p99": _p99(ours) / _p99(bare),
            "status_s": statistics.median(shown),
            "second_daemon_exit_s": statistics.median(second),
        },
    )


if __name__ == "__main__":
    raise SystemExit(main())
