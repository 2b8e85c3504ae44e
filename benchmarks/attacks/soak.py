"""Long life: many distinct recordings with speech through one daemon with real engines; what it leaves behind and what it grows by.

What is compared is read at rest: when all that was dropped is answered and filed away, before more is dropped. A process's memory is
what it has written to and no file holds, in memory or swapped out: whether the pages of a library count as its own depends on who else
has it loaded just then (USS moved by 4 MB with that). The slope is that of Theil and Sen
(Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968): the median over all pairs of samples, so that neither a
lucky last sample nor one step decides.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

import psutil
from appliance import Appliance, ApplianceError

from attacks import Findings, Size
from attacks.clips import speech_clips
from trax.cli.client import ask
from trax.jobs.archives import archive_files
from trax.jobs.ledger import BATCH, LIVE_FINISHED, Ledger

#: Jobs until everything is loaded that will be, and the fewest over which a slope says anything.
WARM_UP, JUDGED = 300, 600
#: Bytes per thousand jobs that the daemon may grow by.
GROWTH = 1 << 20
#: Recordings in hand at once.
_BATCH = 20
#: A job of the live table takes less than this, in bytes of JSON; so does a job in an archive.
_RECORD_BYTES = 4096
_SECONDS_A_JOB = 30.0
_REST_SECONDS = 0.5
#: How long the archive keeps: for what is filed away to be seen there, and for the run to see it go.
_ARCHIVE_SECONDS, _ARCHIVE_SECONDS_TEST = 60.0, 10.0
#: The daemon has at most so many threads for what would hold up its loop, and starts each when the others are busy: they come by and by.
_MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at rest after so many `jobs`; `memory` in bytes."""

    jobs: int
    pid: int
    memory: int
    files: int
    threads: int


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The Theil-Sen slope of (x, y). Raises statistics.StatisticsError for fewer than two different x."""
    return median((second[1] - first[1]) / (second[0] - first[0]) for first, second in combinations(points, 2) if first[0] != second[0])


def judge(role: str, samples: Sequence[Sample], *, is_daemon: bool) -> list[str]:
    """What a process's samples (after the first jobs, when all is loaded) say against it."""
    found = []
    half = len(samples) // 2
    threads = [each.threads for each in samples]
    if samples[-1].jobs < JUDGED:
        threads = [max(each, _MOST_THREADS) for each in threads]
    for what, values in (("open files", [each.files for each in samples]), ("threads", threads)):
        if max(values[half:]) > max(values[:half]):
            found.append(f"{role}: {what} grew from at most {max(values[:half])} in the first half to {max(values[half:])}")
    warm = [(float(each.jobs), float(each.memory)) for each in samples if each.jobs >= WARM_UP]
    if is_daemon and samples[-1].jobs >= JUDGED and (growth := 1000 * slope(warm)) > GROWTH:
        found.append(f"{role}: its memory grows by {growth / 2**20:.2f} MB per 1,000 jobs")
    return found


class _Soak:
    """One daemon and what it was seen to hold."""

    def __init__(self, appliance: Appliance) -> None:
        self.appliance = appliance
        self.samples: dict[str, list[Sample]] = {}
        self.state = appliance.state

    def drop(self, paths: Sequence[Path]) -> None:
        """Drop recordings and wait until all are answered and filed away."""
        expected = len(self.appliance.transcripts()) + len(self.appliance.errors()) + len(paths)
        for path in paths:
            self.appliance.drop(path)
        self.appliance.wait_until(
            lambda: (
                len(self.appliance.transcripts()) + len(self.appliance.errors()) >= expected and not any((self.state / "work").iterdir())
            ),
            60 + _SECONDS_A_JOB * len(paths),
        )

    def sample(self, jobs: int) -> None:
        """Read the daemon and its workers at rest."""
        workers = ask(self.appliance.socket, {"command": "status"}, timeout=60)["daemon"]["workers"]
        time.sleep(_REST_SECONDS)  # until what answered our question has let go of it
        for role, pid in [("traxd", self.appliance.pid), *((f"worker {each['lane']}", int(each["pid"])) for each in workers)]:
            process = psutil.Process(pid)
            memory = sum(mapping.anonymous + mapping.swap for mapping in process.memory_maps())
            seen = Sample(jobs, pid, memory, process.num_fds(), process.num_threads())
            self.samples.setdefault(role, []).append(seen)


def attack(size: Size, work: Path) -> Findings:
    """Run the jobs; size.pick gives how many, JOBS in the environment overrides it."""
    jobs = 12 if size.is_test else int(os.environ.get("JOBS") or size.pick(1000, 60, 12))
    clips = speech_clips(work / "clips", jobs, seed=size.seed)
    batch = min(_BATCH, max(1, jobs // 3))
    kept = _ARCHIVE_SECONDS_TEST if size.is_test else _ARCHIVE_SECONDS
    settings = {
        "intake": {"settle_seconds": 0.2, "rescan_seconds": 5.0},
        "output": {"formats": ["json"]},
        "retention": {"archive_days": kept / 86_400},
        "workers": {"idle_seconds": 3600.0},
    }
    violations: list[str] = []
    with Appliance(work / "root", settings) as appliance:
        soak = _Soak(appliance)
        began = time.monotonic()
        for first in range(0, jobs, batch):
            soak.drop(clips[first : first + batch])
            soak.sample(min(first + batch, jobs))
        took = time.monotonic() - began
        violations += _left_behind(soak, clips)
        violations += _retention(soak, kept)
    for role, samples in soak.samples.items():
        violations += judge(role, samples[1:], is_daemon=role == "traxd")  # by the first sample not all has been used once
    violations += _bounded(soak.state / "ledger", jobs)
    return Findings(
        f"{jobs} different clips with speech, {batch} at a time, through one daemon with real engines in {took:.0f} s; read at rest "
        f"{len(soak.samples['traxd'])} times" + ("" if jobs >= JUDGED else f" (fewer than {JUDGED} jobs: the slope is not judged)") + ".",
        tuple(violations),
        tuple(_figure(role, samples) for role, samples in soak.samples.items()),
    )


def _left_behind(soak: _Soak, clips: Sequence[Path]) -> list[str]:
    appliance = soak.appliance
    missing = {clip.stem for clip in clips} - set(appliance.transcripts())
    found = [f"{name} has no transcript" for name in sorted(missing)]
    for part in ("work", "quarantine", "requests"):
        found += [f"state/{part}/{path.name} was left behind" for path in sorted((soak.state / part).iterdir())]
    side = appliance.outbox / ".trax"
    found += [f"outbox/.trax/{path.name} was left behind" for path in (sorted(side.iterdir()) if side.is_dir() else ())]
    found += [f"{role} was replaced" for role, samples in soak.samples.items() if len({each.pid for each in samples}) > 1]
    return found


def _retention(soak: _Soak, kept: float) -> list[str]:
    """Whether the archive gives up what is older than the settings say, and only that."""
    archive = soak.state / "archive"
    ledger = Ledger.read_only(soak.state / "ledger")
    now = time.time()
    young = [job.id for job in ledger.everything() if now - (job.finished or now) < kept / 2]
    found = [f"job {job_id} is gone from the archive too soon" for job_id in young if not (archive / job_id).is_dir()]
    try:
        soak.appliance.wait_until(lambda: not any(archive.iterdir()), kept + 120)
    except ApplianceError:
        found.append(f"{len(list(archive.iterdir()))} jobs are still in the archive, long after their time")
    return found


def _bounded(ledger: Path, jobs: int) -> list[str]:
    """Whether the ledger's files are as large as the jobs they hold, and no more."""
    found = []
    for snapshot in ledger.glob("ledger-*.json"):
        live = len(json.loads(snapshot.read_bytes().partition(b"\n")[2])["jobs"])
        if live > LIVE_FINISHED + BATCH or snapshot.stat().st_size > _RECORD_BYTES * (live + 4):
            found.append(f"{snapshot.name} holds {live} jobs in {snapshot.stat().st_size} bytes")
    if len(lines := (ledger / "seen.log").read_bytes().splitlines()) != jobs:
        found.append(f"seen.log has {len(lines)} lines after {jobs} jobs")
    if len(archive_files(ledger)) > jobs // BATCH:
        found.append(f"the ledger has {len(archive_files(ledger))} archives after {jobs} jobs")
    return found


def _figure(role: str, samples: Sequence[Sample]) -> str:
    first, last = samples[1] if len(samples) > 1 else samples[0], samples[-1]
    warm = [(float(each.jobs), float(each.memory)) for each in samples if each.jobs >= WARM_UP]
    grows = f", {1000 * slope(warm) / 2**20:+.2f} MB per 1,000 jobs after {WARM_UP}" if last.jobs >= JUDGED else ""
    return (
        f"{role}: {first.memory / 2**20:.1f} MB after {first.jobs} jobs, {last.memory / 2**20:.1f} MB after {last.jobs}{grows}; "
        f"{last.files} open files, {last.threads} threads."
    )
