from __future__ import annotations

import gc
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trax.jobs import ledger as ledger_module
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen

#: A multiple of the batch, so that as many jobs are live after as before.
MANY = 30
#: The job's id, its recording's SHA-256, and its part of what belongs to a batch; names too where the interpreter keeps all it interns.
PIECES = 6


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def test_a_finished_job_keeps_next_to_nothing_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LIVE_FINISHED", 5)
    monkeypatch.setattr(ledger_module, "BATCH", 5)
    ledger, seen = Ledger(tmp_path), Seen(tmp_path / "seen.log")

    def finish(number: int) -> None:
        job = Job(
            id=f"20261122-{number:06d}-abcdef",
            source_name=f"{number}.mp3",
            output_name=f"{number}",
            stages=("transcribe",),
            settings={"asr": {"vocabulary": [f"{number}"]}},
            settings_hash="the same",
            created=1000.0 + number,
            changed=2000.0 + number,
        )
        ledger.put(job)
        job = replace(job, status=Status.COMPLETED, finished=2000.0 + number, media_id=hashlib.sha256(job.id.encode()).hexdigest())
        ledger.put(job)
        seen.add(job.media_id, job.id)

    for number in range(MANY):
        finish(number)
    before = blocks()
    for number in range(MANY, 2 * MANY):
        finish(number)
    assert blocks() - before <= PIECES * MANY
