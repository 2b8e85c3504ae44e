"""What a running daemon meets once in a thousand times, brought about on purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rig import PATIENCE

from trax import files
from trax.config import Settings
from trax.errors import DiskFull, JobError, LedgerError, StorageError
from trax.jobs.folders import SOURCE_FILE, StateFolders, write_job
from trax.jobs.job import Job, Status, accept, start
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.pipeline import artefacts
from trax.pipeline.artefacts import Made
from trax.pipeline.local_lanes import local_lanes
from trax.pipeline.publish import publish, stage
from trax.pipeline.snapshots import Otherwise, snapshot_of
from trax.pipeline.stages import PLAN, Stage
from trax.service import once, receiving, working
from trax.service.endings import run_of
from trax.service.receiving import Receiver
from trax.service.recovering import recover
from trax.service.working import Workshop


class House:
    """The daemon's parts over a root, with one job in work."""

    def __init__(self, root: Path, status: Status) -> None:
        self.settings = Settings(root=str(root))
        self.folders = StateFolders(self.settings.state_folder)
        self.folders.make()
        for folder in (self.settings.inbox_folder, self.settings.outbox_folder):
            files.make_folder(folder)
        self.ledger = Ledger(self.folders.ledger)
        self.seen = seen = Seen(self.folders.ledger / "seen.log")
        self.lanes = local_lanes(self.settings)
        self.workshop = Workshop(self.settings, self.folders, self.ledger, seen, self.lanes)
        self.receiver = Receiver(self.settings, self.folders, self.ledger, seen, self.workshop)
        plain, digest, stages = snapshot_of(self.settings)
        now = time.time()
        job_id = "20260101-000000-abcdef"
        source = self.folders.work / job_id / SOURCE_FILE
        source.parent.mkdir()
        source.write_bytes(b"RIFF")
        job = Job(job_id, "talk.wav", "talk", stages, plain, digest, created=now, changed=now, status=status)
        self.job = replace(job, size=4, modified=source.stat().st_mtime_ns)
        write_job(source.parent, self.job)
        self.ledger.put(self.job)

    @property
    def attempts(self) -> int:
        job = self.ledger.get(self.job.id)
        assert job is not None
        return job.attempts

    @property
    def status(self) -> Status | None:
        job = self.ledger.get(self.job.id)
        return job.status if job else None


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - nothing tells when the task is let go
            await asyncio.sleep(0.01)


def test_a_job_that_is_cancelled_before_its_first_step_is_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        running = asyncio.create_task(house.workshop.run(lambda _: None))
        await asyncio.sleep(0)  # the workshop has made the job's task, which has not begun
        assert house.workshop._in_hand
        assert house.status is Status.QUEUED
        house.workshop.cancel(house.job.id)
        await until(lambda: not house.workshop._in_hand)
        assert house.status is Status.CANCELLED
        assert (house.settings.outbox_folder / "talk.error.json").is_file()
        house.workshop.retry(house.job.id, Otherwise())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await house.lanes.close()

    asyncio.run(scenario())


def test_asked_to_stop_before_a_jobs_first_step_no_attempt_is_charged(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        running = asyncio.create_task(house.workshop.run(lambda _: None))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        job = house.ledger.get(house.job.id)
        assert job is not None
        assert (job.status, job.attempts) == (Status.QUEUED, 0)

    asyncio.run(scenario())


def test_no_job_is_started_while_there_is_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [1 << 20]
    monkeypatch.setattr(files, "free_bytes", lambda _folder: free[0])

    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        running = asyncio.create_task(house.workshop.run(lambda _: None))
        await asyncio.sleep(0.05)
        assert not house.workshop._in_hand
        free[0] = 1 << 30
        house.workshop.wake.set()
        await until(lambda: bool(house.workshop._in_hand))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await house.lanes.close()

    asyncio.run(scenario())


def test_a_ledger_that_is_closed_ends_the_work_with_that_error(tmp_path: Path, monkeypatch) -> None:
    def closed(_: Job) -> None:
        raise LedgerError("An earlier write to the ledger failed.")

    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        monkeypatch.setattr(house.ledger, "put", closed)
        with pytest.raises(LedgerError):  # in no group: the service's main answers an error with a line and an exit code
            await asyncio.wait_for(house.workshop.run(lambda _: None), PATIENCE)

    asyncio.run(scenario())


@pytest.mark.parametrize("refused", range(2))
def test_a_ledger_without_room_is_waited_for_at_the_start_and_at_the_end_of_an_attempt(tmp_path: Path, monkeypatch, refused: int) -> None:
    monkeypatch.setattr(working, "LOOK_AGAIN", 0.01)

    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        put, told = house.ledger.put, 0

        def full(job: Job) -> None:
            nonlocal told
            told += 1
            if refused < told <= refused + 3:
                raise DiskFull("Could not write: No space left on device.")
            put(job)

        monkeypatch.setattr(house.ledger, "put", full)
        running = asyncio.create_task(house.workshop.run(lambda _: None))
        await until(lambda: house.job.id in house.workshop.waiting)
        assert house.status is (Status.RUNNING if refused else Status.QUEUED)
        await until(lambda: house.status is Status.FAILED)  # four bytes are no recording
        assert house.attempts == 1
        await until(lambda: not house.workshop.waiting)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await house.lanes.close()

    asyncio.run(scenario())


def test_a_job_that_is_over_and_waits_for_the_ledger_cannot_be_cancelled(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(working, "LOOK_AGAIN", 0.01)

    async def scenario() -> None:
        house = House(tmp_path, Status.QUEUED)
        put = house.ledger.put
        has_room = False

        def full(job: Job) -> None:
            if not has_room and job.status is not Status.RUNNING:
                raise DiskFull("Could not write: No space left on device.")
            put(job)

        monkeypatch.setattr(house.ledger, "put", full)
        running = asyncio.create_task(house.workshop.run(lambda _: None))
        await until(lambda: house.job.id in house.workshop.waiting)
        with pytest.raises(JobError, match="is over"):
            house.workshop.cancel(house.job.id)
        with pytest.raises(DiskFull, match="is over"):
            await asyncio.wait_for(house.workshop.until_let_go(house.job.id), PATIENCE)  # whoever asked before is told, too
        has_room = True
        await until(lambda: house.status is Status.FAILED)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await house.lanes.close()

    asyncio.run(scenario())


def test_a_claimed_recording_that_the_disk_cannot_read_waits_longer_and_longer_and_is_read_then(tmp_path: Path, monkeypatch) -> None:
    looks: list[float] = []

    def broken(*_: object) -> None:
        looks.append(time.time())
        raise StorageError("The recording cannot be read: Input/output error.")

    async def scenario() -> None:
        house = House(tmp_path, Status.CLAIMED)
        with monkeypatch.context() as patched:
            patched.setattr(receiving, "validate", broken)
            waits = []
            for number in range(1, 4):
                for _ in range(2):
                    await house.receiver.look(lambda _: None)
                assert len(looks) == number  # the second time it was not due
                waiting = house.ledger.get(house.job.id)
                assert waiting is not None
                assert (waiting.status, waiting.attempts, (waiting.error or {})["code"]) == (Status.CLAIMED, 0, "storage")
                assert waiting.not_before is not None
                waits.append(waiting.not_before - looks[-1])
                house.ledger.put(replace(waiting, not_before=looks[-1]))  # time passes
            retries = house.settings.retries
            assert all(0.5 <= wait / (retries.first_delay_seconds * 2**number) <= 1.1 for number, wait in enumerate(waits))
        await house.receiver.look(lambda _: None)
        assert house.status is Status.QUEUED
        assert not list(house.settings.outbox_folder.glob("talk*"))

    asyncio.run(scenario())


def test_a_job_that_is_cancelled_while_it_is_examined_stays_cancelled(tmp_path: Path, monkeypatch) -> None:
    async def scenario() -> None:
        house = House(tmp_path, Status.CLAIMED)
        loop = asyncio.get_running_loop()

        def cancelled_meanwhile(*_: object) -> None:
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(PATIENCE)
            raise StorageError("The recording is not there any more.")

        async def cancel() -> None:
            house.workshop.cancel(house.job.id)

        monkeypatch.setattr(receiving, "validate", cancelled_meanwhile)
        await house.receiver.look(lambda _: None)
        assert house.status is Status.CANCELLED

    asyncio.run(scenario())


def test_what_was_published_before_trax_was_killed_is_finished_as_it_would_have_been(tmp_path: Path) -> None:
    house = House(tmp_path, Status.CLAIMED)
    running = start(accept(house.job, media_id="ab" * 32, size=4, now=time.time()), time.time())
    house.ledger.put(running)
    work = house.folders.work / running.id
    (work / "pcm.raw").write_bytes(bytes(4))
    staged = stage(house.settings.outbox_folder, running.id, {".json": (b"{}",)})
    publish(house.settings.outbox_folder, work, run_of(running), staged, lambda _is_taken: "talk (2)")

    recover(house.settings, house.folders, house.ledger, house.seen, house.workshop)

    job = house.ledger.get(running.id)
    assert job is not None
    assert (job.status, job.output_name) == (Status.COMPLETED, "talk (2)")
    assert house.seen.find("ab" * 32) == running.id
    kept = {path.name for path in (house.folders.archive / running.id).iterdir()}
    assert SOURCE_FILE in kept
    assert "pcm.raw" not in kept


@pytest.mark.parametrize(
    ("made", "duplicate_of", "interruptions"), [((), None, 8), ((PLAN,), None, 0), ((PLAN,), "20250101-000000-abcdef", 8)]
)
def test_interruptions_are_counted_until_a_stage_is_finished(
    tmp_path: Path,
    made: tuple[Stage, ...],
    duplicate_of: str | None,
    interruptions: int,
) -> None:
    house = House(tmp_path, Status.CLAIMED)
    queued = replace(accept(house.job, media_id="ab" * 32, size=4, now=time.time()), duplicate_of=duplicate_of, interruptions=7)
    house.ledger.put(start(queued, time.time() - 100))
    for each in made:
        artefacts.record(house.folders.work / queued.id, each, Made("abc", {}, 0.0))
    recover(house.settings, house.folders, house.ledger, house.seen, house.workshop)
    job = house.ledger.get(queued.id)
    assert job is not None
    assert (job.status, job.attempts, job.interruptions) == (Status.QUEUED, 0, interruptions)


def test_work_without_a_daemon_that_is_ended_before_its_outputs_are_published_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with once._work_folder(tmp_path, "job"):
            stage(tmp_path, "job", {".json": (b"{}",)})
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []
