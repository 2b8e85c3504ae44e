"""A job survives what happens to the daemon and to its workers, and no work is done twice that need not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from rig import PATIENCE, WORDS, Traxd, assert_gone, stamps

from trax.jobs import folders
from trax.jobs.job import Job, Status

NAME = "talk.wav"


@pytest.fixture
def recording(cut: Callable[..., Path]) -> Path:
    """Long enough to be met in the middle: three turns."""
    return cut(0.0, 10.0)


def begin(traxd: Traxd, recording: Path) -> dict[str, tuple[int, int]]:
    """Bring a job into the middle of its transcription; returns the stamps of what was done before."""
    traxd.put(recording, NAME)
    job = traxd.wait_for_stage(NAME, "transcribe")
    found = stamps(traxd.folder("work", job))
    assert set(found) == {"plan.stamp", "pcm.stamp", "vad.stamp"}
    return found


def assert_completed_from(traxd: Traxd, before: dict[str, tuple[int, int]], attempts: int) -> Job:
    job = traxd.wait_for(NAME)
    assert job.status is Status.COMPLETED
    assert job.attempts == attempts
    after = stamps(traxd.folder("archive", job))
    assert {name: after[name] for name in before} == before
    assert traxd.transcript("talk")["word_count"] > 10
    assert list(traxd.transcripts()) == ["talk"]
    return job


def test_asked_to_stop_it_gives_the_job_back_and_goes_on_with_it_later(tmp_path: Path, recording: Path) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        before = begin(traxd, recording)
        family = traxd.processes()
        assert traxd.stop() == 0
        assert_gone(family)
    assert not traxd.socket.exists()
    job = traxd.job(NAME)
    assert (job.status, job.attempts, job.error) == (Status.QUEUED, 0, None)
    with Traxd(tmp_path, WORDS) as traxd:
        assert_completed_from(traxd, before, attempts=1)


def test_killed_it_takes_its_workers_along_and_goes_on_later_with_no_attempt_charged(tmp_path: Path, recording: Path) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        before = begin(traxd, recording)
        traxd.kill()
    assert traxd.job(NAME).status is Status.RUNNING
    with Traxd(tmp_path, WORDS) as traxd:
        assert_completed_from(traxd, before, attempts=1)


def test_a_worker_that_is_killed_costs_one_attempt(tmp_path: Path, recording: Path) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        before = begin(traxd, recording)
        worker = traxd.worker("transcribe-1")
        worker.kill()
        traxd.wait_until(lambda: traxd.job(NAME).error is not None, PATIENCE, every_s=0.05)
        error = traxd.job(NAME).error
        assert error is not None
        assert error["code"] == "worker-crashed"
        assert "SIGKILL" in error["what"]
        job = assert_completed_from(traxd, before, attempts=2)
        assert job.error is None
        assert not psutil.pid_exists(worker.pid)


def test_a_folder_that_the_ledger_does_not_know_is_taken_up(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        traxd.put(turn(0), NAME)
        known = traxd.wait_for(NAME)
    # as if Trax had ended between the claim and the ledger: with another recording, so that it is no duplicate
    lost = Job(
        id="20260101-000000-abcdef",
        source_name="lost.wav",
        output_name="lost",
        stages=known.stages,
        settings=known.settings,
        settings_hash=known.settings_hash,
        created=known.created,
        changed=known.created,
    )
    work = traxd.folder("work", lost)
    work.mkdir()
    (work / folders.SOURCE_FILE).write_bytes(turn(5).read_bytes())
    folders.write_job(work, lost)
    (traxd.state / "ledger" / "seen.log").unlink()
    with Traxd(tmp_path, WORDS) as traxd:
        assert traxd.wait_for("lost.wav").status is Status.COMPLETED
        traxd.put(turn(0), "same.wav")
        assert traxd.wait_for("same.wav").duplicate_of == known.id
    assert known.media_id in (traxd.state / "ledger" / "seen.log").read_text()
