"""What went on after it was answered is taken again."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from trax.config import Retries
from trax.errors import DamagedRecording, EmptyRecording
from trax.intake.scan import sight
from trax.jobs import job as jobs
from trax.jobs.folders import SOURCE_FILE, StateFolders, file_away, home, write_job
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.service.retaking import retake, went_on

NOW = time.time()
CLAIMED = Job("20261122-000001-abcdef", "talk.mp3", "talk", ("transcribe",), {}, "h", created=NOW - 60, changed=NOW - 60)


@pytest.fixture
def folders(tmp_path: Path) -> StateFolders:
    folders = StateFolders(tmp_path / "state")
    folders.make()
    return folders


def answered(folders: StateFolders, ending: str) -> tuple[Job, Path]:
    """A job whose recording was answered half a minute ago, and the recording."""
    work = folders.work / CLAIMED.id
    work.mkdir()
    source = work / SOURCE_FILE
    source.write_bytes(b"half" if ending != "empty" else b"")
    os.utime(source, (NOW - 90, NOW - 90))
    found = sight(source)
    assert found is not None
    running = jobs.start(jobs.accept(CLAIMED, media_id="a" * 64, size=found.size, modified=found.modified, now=NOW - 50), NOW - 40)
    ended = {
        "completed": jobs.complete(running, NOW - 30),
        "failed": jobs.fail(running, DamagedRecording("Cut."), NOW - 30, Retries(), 0.0),
        "empty": jobs.fail(CLAIMED, EmptyRecording("Empty."), NOW - 30, Retries(), 0.0),
    }[ending]
    write_job(work, ended)
    file_away(folders, ended)
    return ended, folders.root / home(ended) / ended.id / SOURCE_FILE


@pytest.mark.parametrize("ending", ["completed", "failed", "empty"])
def test_a_recording_that_went_on_is_claimed_anew(folders: StateFolders, ending: str) -> None:
    job, source = answered(folders, ending)
    assert went_on([job], folders, NOW) == []
    with source.open("ab") as writer:
        writer.write(b"and the rest")
    os.utime(source, (NOW - 1, NOW - 1))
    assert went_on([job], folders, NOW) == [job]
    assert went_on([job], folders, NOW + 10 * 86_400) == []
    ledger = Ledger(folders.ledger)
    ledger.put(job)
    retake(job, ledger, folders, NOW)
    again = ledger.get(job.id)
    assert again is not None
    assert (again.status, again.attempts, again.media_id, again.error) == (Status.CLAIMED, 0, "", None)
    assert (folders.work / job.id / SOURCE_FILE).read_bytes().endswith(b"the rest")


def test_what_is_gone_or_whose_answer_is_owed_is_left_alone(folders: StateFolders) -> None:
    job, source = answered(folders, "failed")
    source.unlink()
    assert went_on([job], folders, NOW) == []
    source.parent.rename(folders.work / job.id)
    (folders.work / job.id / SOURCE_FILE).write_bytes(b"other")
    assert went_on([job], folders, NOW) == []
    assert went_on([dataclasses.replace(job, id="20261122-000002-abcdef")], folders, NOW) == []
