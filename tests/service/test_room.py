from __future__ import annotations

import io
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_working import House

from trax import files
from trax.jobs.job import Status
from trax.service.room import LEDGER_BYTES, Bytes, Room, missing, needs, sound_seconds

amounts = st.integers(0, 1 << 40)
pairs = st.builds(Bytes, amounts, amounts)


def wav(seconds: float, rate: int, channels: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setparams((channels, 2, rate, 0, "NONE", ""))
        writer.writeframes(bytes(int(seconds * rate) * 2 * channels))
    return buffer.getvalue()


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 1), (48_000, 2)])
def test_a_wav_says_itself_how_long_it_is(rate: int, channels: int) -> None:
    data = wav(3.0, rate, channels)
    assert sound_seconds(len(data), ".wav", data[:36], longest=60.0) == pytest.approx(3.0, abs=0.01)


@given(st.binary(max_size=64), st.integers(0, 1 << 40), st.sampled_from([".wav", ".mp3", ".opus", ".x", ""]))
def test_an_estimate_lies_between_nothing_and_the_longest_recording(head: bytes, size: int, extension: str) -> None:
    assert 0.0 <= sound_seconds(size, extension, head, longest=100.0) <= 100.0


def test_an_hour_of_speech_needs_its_pcm_and_a_little_more() -> None:
    hour = needs(3600.0)
    assert 3600 * 32_000 < hour.state < 3600 * 40_000
    assert hour.outbox < 8_000_000


@given(pairs, pairs)
def test_what_is_missing_would_be_enough(needed: Bytes, free: Bytes) -> None:
    more = missing(needed, free, is_one_disk=False)
    assert missing(needed, free + more, is_one_disk=False) == Bytes()
    one = missing(needed, free, is_one_disk=True)
    assert one.state == max(0, needed.state + needed.outbox - free.state)


def test_what_jobs_in_hand_will_still_take_is_not_there_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path, Status.QUEUED)
    room = Room(house.settings, house.folders)
    job, needed = replace(house.job, size=0), needs(0.0)
    monkeypatch.setattr(files, "free_bytes", lambda _folder: LEDGER_BYTES + needed.state + needed.outbox + 100)
    assert room.waiting(job, []) is None
    waiting = room.waiting(job, [job])
    assert waiting is not None
    assert waiting.missing_bytes == needed.state + needed.outbox - 100
    (house.folders.work / job.id / "pcm.raw").write_bytes(bytes(needed.state))  # it took what it needs
    assert room.waiting(job, [job]) is None


def test_an_outbox_that_is_not_there_is_made_and_one_that_cannot_be_is_waited_for(tmp_path: Path) -> None:
    house = House(tmp_path, Status.QUEUED)
    room = Room(house.settings, house.folders)
    house.settings.outbox_folder.rmdir()
    assert room.waiting(house.job, []) is None
    house.settings.outbox_folder.rmdir()
    house.settings.outbox_folder.write_text("in the way")
    waiting = room.waiting(house.job, [])
    assert waiting is not None
    assert waiting.missing_bytes is None
