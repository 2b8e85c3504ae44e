"""A recording dropped into the inbox comes out of the outbox as a transcript with speakers."""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Callable
from pathlib import Path

import jiwer
import pytest
from rig import CONVERSATION, FORMATS, RATE, WORDS, Traxd

from trax.jobs.job import Job, Status


@pytest.fixture(scope="module")
def done(traxd: Traxd) -> Job:
    """The conversation, transcribed."""
    traxd.put(CONVERSATION, "conversation.ogg")
    return traxd.wait_for("conversation.ogg")


def normalised(text: str) -> str:
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def test_a_conversation_becomes_who_said_what(traxd: Traxd, done: Job) -> None:
    assert done.status is Status.COMPLETED, traxd.log_tail()
    transcript = traxd.transcript("conversation")
    assert len(transcript["speakers"]) == 2
    truth = json.loads(CONVERSATION.with_suffix(".json").read_text())
    said = normalised(" ".join(turn["text"] for turn in truth["turns"]))
    heard = normalised(" ".join(segment["text"] for segment in transcript["segments"]))
    assert jiwer.wer(said, heard) <= 0.3
    assert all(word["speaker"] in {"SPEAKER_00", "SPEAKER_01"} for word in transcript["word_segments"])


def test_every_output_is_there_for_the_group_to_read(traxd: Traxd, done: Job) -> None:
    modes = {ending: (traxd.outbox / f"conversation.{ending}").stat().st_mode & 0o7777 for ending in FORMATS}
    assert modes == dict.fromkeys(FORMATS, 0o640)
    assert not (traxd.outbox / ".trax" / done.id).exists()


def test_the_archive_keeps_the_recording_and_what_is_small(traxd: Traxd, done: Job) -> None:
    archive = traxd.folder("archive", done)
    names = {path.name for path in archive.iterdir()}
    assert {"source", "job.json", "published.json", "fast.json", "turns.json", "pcm.stamp", "fast.stamp"} <= names
    assert (archive / "source").read_bytes() == CONVERSATION.read_bytes()
    assert "pcm.raw" not in names
    assert not traxd.folder("work", done).exists()
    assert not (traxd.inbox / "conversation.ogg").exists()


def test_the_daemon_tells_of_it(traxd: Traxd, done: Job) -> None:
    shown = traxd.ask("show", job="conversation")
    assert shown["id"] == done.id
    assert shown["status"] == "completed"
    assert shown["progress"] == 1.0
    assert shown["attempts"] == 1
    assert shown["outputs"] == [f"conversation.{ending}" for ending in FORMATS]
    assert shown["folder"] == str(traxd.folder("archive", done))
    status = traxd.ask("status")
    assert status["counts"]["completed"] >= 1
    assert status["daemon"]["pid"] == traxd.pid


def test_the_same_recording_again_gets_the_earlier_result_under_its_own_name(traxd: Traxd, done: Job) -> None:
    traxd.put(CONVERSATION, "again.ogg")
    again = traxd.wait_for("again.ogg")
    assert again.status is Status.COMPLETED
    assert again.duplicate_of == done.id
    first, second = traxd.transcript("conversation"), traxd.transcript("again")
    assert second["run"]["duplicate_of"] == done.id
    assert second["run"]["stage_seconds"] == first["run"]["stage_seconds"]
    assert (traxd.outbox / "again.srt").read_bytes() == (traxd.outbox / "conversation.srt").read_bytes()


def test_of_two_copies_dropped_at_once_the_second_waits_for_the_first(traxd: Traxd, turn: Callable[..., Path]) -> None:
    for name in ("copy a.wav", "copy b.wav"):
        traxd.put(turn(0), name)
    first, second = sorted((traxd.wait_for(name) for name in ("copy a.wav", "copy b.wav")), key=lambda job: job.created)
    assert first.duplicate_of is None
    assert second.duplicate_of == first.id
    seconds = [traxd.transcript(name)["run"]["stage_seconds"] for name in ("copy a", "copy b")]
    assert seconds[0] == seconds[1]


def test_silence_gives_a_transcript_that_says_so(traxd: Traxd, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "silence.wav"), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(bytes(2 * RATE * 3))
    traxd.put(tmp_path / "silence.wav", "silence.wav")
    assert traxd.wait_for("silence.wav").status is Status.COMPLETED
    transcript = traxd.transcript("silence")
    assert transcript["segments"] == []
    assert transcript["speakers"] == []
    assert "no speech" in " ".join(transcript["warnings"]).lower()
    assert (traxd.outbox / "silence.vtt").read_text().startswith("WEBVTT")


def test_thirty_recordings_at_once_get_thirty_answers(tmp_path: Path, cut: Callable[..., Path]) -> None:
    names = [f"talk {number:02d}" for number in range(30)]
    with Traxd(tmp_path, WORDS) as traxd:
        for number, name in enumerate(names):
            traxd.put(cut(0.4, 1.4, variant=number), f"{name}.wav")
        traxd.wait_until(lambda: len(traxd.transcripts()) == len(names), 280)
        assert sorted(traxd.transcripts()) == names
        assert not traxd.errors()
        assert sorted(job.source_name for job in traxd.jobs()) == [f"{name}.wav" for name in names]
        assert len({traxd.transcript(name)["media"]["sha256"] for name in names}) == len(names)
        assert list((traxd.state / "work").iterdir()) == []
