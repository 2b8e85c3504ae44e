"""When a file is taken, what it is called, and what is never written over."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from rig import Traxd

from trax.jobs.job import Status


def test_a_file_that_is_copied_slowly_is_taken_once_and_whole(traxd: Traxd, turn: Callable[..., Path]) -> None:
    whole = turn(2).read_bytes()
    step = len(whole) // 12 + 1
    for start in range(0, len(whole), step):  # opened anew each time: only the pauses, shorter than the settle time, hold it back
        with (traxd.inbox / "slow.wav").open("ab") as target:
            target.write(whole[start : start + step])
        time.sleep(0.3)
    job = traxd.wait_for("slow.wav")
    assert job.status is Status.COMPLETED
    assert job.media_id == hashlib.sha256(whole).hexdigest()


def test_a_file_that_someone_still_writes_to_is_not_taken_however_long_the_pause(traxd: Traxd, turn: Callable[..., Path]) -> None:
    whole = turn(0, variant=5).read_bytes()
    with (traxd.inbox / "paused.wav").open("wb") as target:
        target.write(whole[: len(whole) // 2])
        target.flush()
        time.sleep(3.0)  # six times the settle time
        assert (traxd.inbox / "paused.wav").exists()
        target.write(whole[len(whole) // 2 :])
    job = traxd.wait_for("paused.wav")
    assert job.status is Status.COMPLETED
    assert job.media_id == hashlib.sha256(whole).hexdigest()


def test_subfolders_are_kept(traxd: Traxd, turn: Callable[..., Path]) -> None:
    traxd.put(turn(0, variant=6), "2026/board meeting/talk.wav")
    assert traxd.wait_for("2026/board meeting/talk.wav").output_name == "2026/board meeting/talk"
    assert traxd.transcript("2026/board meeting/talk")["segments"]
    assert (traxd.inbox / "2026" / "board meeting").is_dir()


def test_a_persons_file_of_the_wanted_name_is_not_touched(traxd: Traxd, turn: Callable[..., Path]) -> None:
    (traxd.outbox / "minutes.srt").write_text("mine")
    traxd.put(turn(0, variant=7), "minutes.wav")
    assert traxd.wait_for("minutes.wav").output_name == "minutes (2)"
    assert (traxd.outbox / "minutes.srt").read_text() == "mine"
    assert not (traxd.outbox / "minutes.json").exists()
    assert traxd.transcript("minutes (2)")["segments"]
