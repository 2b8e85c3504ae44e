"""The jobs' whole life on the disk, by hypothesis: whatever is done, wherever Trax is ended in it, and whatever is damaged then.

Real are the ledger, `seen.log`, the folders, publishing and recovery; only the stages are left out. Trax is ended before its k-th durable
operation, in recovery too, and the machine keeps running: what was written and not synced is there. Power cuts are attacked elsewhere.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from loguru import logger

from trax import disk, files
from trax.config import Settings
from trax.errors import DamagedRecording, WorkerCrashed
from trax.jobs import job as jobs
from trax.jobs import ledger as ledger_module
from trax.jobs.damaged import kept_beside
from trax.jobs.folders import SOURCE_FILE, Part, StateFolders, home, write_job
from trax.jobs.job import MOST_INTERRUPTIONS, Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.jobs.storage import unpack
from trax.pipeline import rediarize
from trax.pipeline.local_lanes import local_lanes
from trax.pipeline.publish import stage
from trax.pipeline.snapshots import Otherwise, snapshot_of
from trax.service.endings import run_of
from trax.service.recovering import recover
from trax.service.working import Workshop


class Ended(BaseException):
    """Trax ends here."""


@dataclass(frozen=True)
class Blow:
    """Trax is ended before its durable operation number `at` and, when `again` is set, before that one of the recovery that follows.

    `damage` says which snapshot is flipped in between.
    """

    at: int
    damage: str | None
    again: int | None


blows = st.none() | st.builds(Blow, st.integers(1, 40), st.sampled_from([None, "newest", "older"]), st.none() | st.integers(1, 40))
OUTCOMES = ("completed", "completed", "completed", "refused", "damaged", "crashed", "interrupted")


class Remembered(RuleBasedStateMachine):
    """`sure` holds what each job was when the last thing done to it had come to its end."""

    def __init__(self) -> None:
        super().__init__()
        logger.disable("trax")
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ledger_module, "LIVE_FINISHED", 3)
        self.patch.setattr(ledger_module, "BATCH", 2)
        self.patch.setattr(os, "fsync", lambda _: None)
        self.patch.setattr(rediarize, "check", lambda *_: None)  # there are no artefacts
        self.root = Path(tempfile.mkdtemp(prefix="trax-remembered-"))
        self.settings = Settings(root=str(self.root))
        self.folders = StateFolders(self.settings.state_folder)
        self.folders.make()
        for folder in (self.settings.inbox_folder, self.settings.outbox_folder):
            files.make_folder(folder)
        self.sure: dict[str, Job] = {}
        self.outdated: set[str] = set()
        self.kept: set[bytes] = set()
        self.sequence = 0
        self.taken = 0
        self.random = random.Random(0)
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.folders.ledger)
        self.seen = Seen(self.folders.ledger / "seen.log")
        self.workshop = Workshop(self.settings, self.folders, self.ledger, self.seen, local_lanes(self.settings))
        recover(self.settings, self.folders, self.ledger, self.seen, self.workshop)

    def until(self, at: int | None, do: Callable[[], object]) -> bool:
        """Do it until the durable operation number `at`; returns whether it came to its end."""
        left = at or 1 << 30

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Ended

        self.patch.setattr(disk, "observer", count)
        try:
            do()
        except Ended:
            return False
        finally:
            self.patch.setattr(disk, "observer", None)
        return True

    def change(self, job_id: str, blow: Blow | None, do: Callable[[], object]) -> None:
        if self.until(blow and blow.at, do):
            job = self.ledger.get(job_id)
            assert job is not None
            self.sure[job_id] = job
        elif blow:
            if blow.damage:
                self.flip(blow.damage)
            self.start_again(job_id, blow.again)

    def start_again(self, unsure: str | None = None, at: int | None = None) -> None:
        """Start Trax, ended once more in recovery, and compare with what is sure; of `unsure` either outcome is right."""
        if not self.until(at, self.open):
            self.open()
        for job_id, before in list(self.sure.items()):
            after = self.ledger.get(job_id)
            assert after is not None
            if job_id != unsure:
                assert before.is_finished == after.is_finished
                assert after.status is before.status or not before.is_finished
            self.sure[job_id] = after
        if unsure is not None and unsure not in self.sure and (after := self.ledger.get(unsure)) is not None:
            self.sure[unsure] = after

    def flip(self, which: str) -> None:
        snapshots = {path: unpack(path.read_bytes()) for path in self.folders.ledger.glob("ledger-?.json")}
        ordered = sorted(snapshots, key=lambda path: getattr(snapshots[path], "sequence", -1))
        if len(ordered) == 2 and None not in snapshots.values():
            path = ordered[which == "newest"]
            self.kept.add(self.flipped(path))

    def flipped(self, path: Path) -> bytes:
        data = bytearray(path.read_bytes())
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        path.write_bytes(data)
        return bytes(data)

    def some(self, pick: int, *statuses: Status) -> Job | None:
        fitting = [job for job in self.ledger.everything() if job.status in statuses]
        return fitting[pick % len(fitting)] if fitting else None

    @initialize(lives=st.lists(st.sampled_from(OUTCOMES), min_size=3, max_size=12))
    def live(self, lives: list[str]) -> None:
        for outcome in lives:
            self.claim(None)
            for _ in range(3):
                self.go_on(list(self.sure.values())[-1], outcome, None)

    @rule(pick=st.integers(0, 9), outcome=st.sampled_from(OUTCOMES), blow=blows)
    def step(self, pick: int, outcome: str, blow: Blow | None) -> None:
        """Claim a recording, or bring an unfinished job on: one rule, so that many jobs come to an end."""
        under_way = [job for job in self.ledger.live() if not job.is_finished]
        if pick % 4 < len(under_way):
            self.go_on(under_way[pick % 4], outcome, blow)
        else:
            self.claim(blow)

    def go_on(self, job: Job, outcome: str, blow: Blow | None) -> None:
        match job.status, outcome:
            case Status.CLAIMED, "refused":
                self.change(job.id, blow, lambda: self.workshop.refuse(job, DamagedRecording("It is cut short.")))
            case Status.CLAIMED, _:
                media_id = f"{job.id:>064}".replace("-", "0")
                accepted = jobs.accept(job, media_id=media_id, size=5, modified=1, now=time.time())
                self.change(job.id, blow, lambda: self.ledger.put(accepted))
            case Status.QUEUED, _:
                self.change(job.id, blow, lambda: self.ledger.put(jobs.start(job, time.time())))
            case Status.RUNNING, "completed":
                self.change(job.id, blow, lambda: self.deliver(job))
            case Status.RUNNING, "interrupted":
                self.change(job.id, blow, lambda: self.ledger.put(jobs.interrupt(job, time.time())))
            case Status.RUNNING, _:
                error = WorkerCrashed("It ended by signal 11.") if outcome == "crashed" else DamagedRecording("It is cut short.")
                self.change(job.id, blow, lambda: self.end(jobs.fail(job, error, time.time(), self.settings.retries, 0.5)))

    def claim(self, blow: Blow | None) -> None:
        self.taken += 1
        plain, digest, stages = snapshot_of(self.settings)
        now = time.time()
        name = f"talk {self.taken}"
        job = Job(jobs.new_job_id(now, self.taken), f"{name}.wav", name, stages, plain, digest, created=now, changed=now)

        def take() -> None:
            folder = self.folders.work / job.id
            files.make_folder(folder)
            write_job(folder, job)
            files.write_bytes(folder / SOURCE_FILE, job.id.encode())
            self.ledger.put(job)

        self.change(job.id, blow, take)

    def deliver(self, job: Job) -> None:
        run = f"{job.id} {run_of(job)}".encode()
        staged = stage(self.settings.outbox_folder, job.id, {".srt": (run,), ".json": (run,)})
        manifest = self.workshop.endings.publish(job, staged)
        self.end(replace(jobs.complete(job, time.time()), output_name=manifest.name))

    @rule(pick=st.integers(0, 9), blow=blows)
    def cancel(self, pick: int, blow: Blow | None) -> None:
        if job := self.some(pick, Status.CLAIMED, Status.QUEUED, Status.RUNNING):
            self.change(job.id, blow, lambda: self.end(jobs.cancel(job, time.time())))

    @rule(pick=st.integers(0, 9), blow=blows)
    def retry(self, pick: int, blow: Blow | None) -> None:
        job = self.some(pick, Status.COMPLETED, Status.FAILED, Status.CANCELLED)
        if job and job.id not in self.outdated:
            other = self.settings if job.status is Status.COMPLETED else None
            self.change(job.id, blow, lambda: self.workshop.retry(job.id, Otherwise(other)))

    @rule(pick=st.integers(0, 9), blow=blows)
    def rediarize(self, pick: int, blow: Blow | None) -> None:
        job = self.some(pick, Status.COMPLETED)
        if job and job.id not in self.outdated:
            self.change(job.id, blow, lambda: self.workshop.rediarize(job.id, {"max_speakers": 2 + pick}))

    def end(self, ended: Job) -> None:
        self.ledger.put(ended)
        if ended.is_finished:
            self.workshop.endings.finish(ended)

    @rule(at=st.none() | st.integers(1, 40), damage=st.sampled_from([None, "newest", "older"]))
    def restart(self, at: int | None, damage: str | None) -> None:
        if damage:
            self.flip(damage)
        self.start_again(at=at)

    @rule(pick=st.integers(0, 9))
    def remove_outdated(self, pick: int) -> None:
        """Only the ledger remembers what retention removed: of the archived jobs, which are the oldest."""
        live = {job.id for job in self.ledger.live()}
        kept = [job for job in self.ledger.everything() if job.id not in live | self.outdated and job.status is not Status.FAILED]
        if kept:
            job = kept[pick % len(kept)]
            files.remove_tree(self.folders.archive / job.id)
            self.outdated.add(job.id)

    @rule(pick=st.integers(0, 9), at=st.none() | st.integers(1, 40))
    def restart_with_a_damaged_archive(self, pick: int, at: int | None) -> None:
        if archives := sorted(self.folders.ledger.glob("archive-*.json")):
            self.flipped(archives[pick % len(archives)])
            for job_id in self.outdated - {job.id for job in Ledger.read_only(self.folders.ledger).everything()}:
                del self.sure[job_id]  # nothing else knew of it
                self.outdated.discard(job_id)
            self.start_again(at=at)

    @rule(part=st.floats(0, 1), between_lines=st.booleans(), at=st.none() | st.integers(1, 40))
    def restart_with_a_cut_seen_log(self, part: float, between_lines: bool, at: int | None) -> None:  # noqa: FBT001 - hypothesis draws it
        log = self.folders.ledger / "seen.log"
        left = log.read_bytes()[: int(part * log.stat().st_size)]
        log.write_bytes(left[: left.rfind(b"\n") + 1] if between_lines else left)
        self.start_again(at=at)

    @invariant()
    def every_job_is_known_once_and_in_its_place(self) -> None:
        known = {job.id: job for job in self.ledger.everything()}
        assert known == self.sure
        assert sum(self.ledger.counts().values()) == len(known) == len(list(self.ledger.everything()))
        for job in (job for job in known.values() if job.id not in self.outdated):
            places = [part for part in Part if (self.folders.root / part / job.id).exists()]
            assert places == [home(job)]
            assert (self.folders.root / home(job) / job.id / SOURCE_FILE).read_bytes() == job.id.encode()
            assert 0 <= job.attempts <= self.settings.retries.max_attempts
            assert 0 <= job.interruptions <= MOST_INTERRUPTIONS
            assert (job.status is Status.RUNNING) <= (job.attempts > 0)

    @invariant()
    def whatever_is_finished_has_one_answer(self) -> None:
        for job in self.sure.values():
            endings = [ending for ending in (".json", ".error.json") if (self.settings.outbox_folder / (job.output_name + ending)).exists()]
            if job.is_finished:
                assert endings == [".json" if job.status is Status.COMPLETED else ".error.json"]
            if job.status is Status.COMPLETED:
                outputs = {(self.settings.outbox_folder / (job.output_name + ending)).read_bytes() for ending in (".srt", ".json")}
                assert outputs == {f"{job.id} {run_of(job)}".encode()}
                assert self.seen.find(job.media_id) == job.id

    @invariant()
    def readers_see_the_same(self) -> None:
        reader = Ledger.read_only(self.folders.ledger)
        assert {job.id: job for job in reader.everything()} == self.sure

    @invariant()
    def snapshots_are_numbered_on_and_the_damaged_ones_kept(self) -> None:
        snapshots = [unpack(path.read_bytes()) for path in self.folders.ledger.glob("ledger-?.json")]
        newest = max((snapshot.sequence for snapshot in snapshots if snapshot), default=0)
        assert newest >= self.sequence
        self.sequence = newest
        assert self.kept <= {path.read_bytes() for path in kept_beside(self.folders.ledger)}

    def teardown(self) -> None:
        self.patch.undo()
        logger.enable("trax")
        shutil.rmtree(self.root)


Remembered.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestRemembered = Remembered.TestCase
