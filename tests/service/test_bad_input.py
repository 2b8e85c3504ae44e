"""Whatever is dropped gets an answer: a transcript, or an error that says what happened, why, and what to do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from rig import CONVERSATION, PATIENCE, QUICK, WORDS, Traxd, heed_modes

from trax.jobs.folders import SOURCE_FILE
from trax.jobs.job import Status

#: Dropped name → name of the answer, code of the error.
BAD = {
    "empty.wav": ("empty", "empty"),
    "truncated.wav": ("truncated", "damaged"),
    "prose.mp3": ("prose", "unsupported"),
    "silent film.mp4": ("silent film", "no-audio"),
    "huge.wav": ("huge", "too-large"),
    "link.wav": ("link", "unreadable"),
    "pipe.wav": ("pipe", "unreadable"),
    "notes.docx": ("notes", "unsupported"),
    "nothing": ("nothing", "unsupported"),
    "two\nlines.wav": ("two%0Alines", "empty"),
    b"caf\xe9.wav": ("caf%E9", "empty"),
}


@pytest.fixture(scope="module")
def answered(traxd: Traxd, turn: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Traxd:
    """The daemon, once everything bad was dropped and answered."""
    made = tmp_path_factory.mktemp("bad")
    empty, prose = made / "empty", made / "prose"
    empty.touch()
    prose.write_text("This is not a recording. " * 200)
    for name in ("empty.wav", "notes.docx", "nothing", "two\nlines.wav", b"caf\xe9.wav"):
        traxd.put(empty, name)
    whole = turn(1).read_bytes()
    (made / "truncated").write_bytes(whole[: len(whole) // 2])
    traxd.put(made / "truncated", "truncated.wav")
    traxd.put(prose, "prose.mp3")
    traxd.put(film_without_sound(made / "film.mp4"), "silent film.mp4")
    with (traxd.inbox / "huge.wav").open("wb") as huge:
        huge.truncate(501_000_000)
    (traxd.inbox / "link.wav").symlink_to(CONVERSATION)
    os.mkfifo(traxd.inbox / "pipe.wav")
    traxd.wait_until(lambda: {name for name, _ in BAD.values()} <= set(traxd.errors()), PATIENCE)
    return traxd


def film_without_sound(path: Path) -> Path:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            film.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("dropped", BAD, ids=ascii)
def test_each_gets_a_clear_error(answered: Traxd, dropped: str | bytes) -> None:
    name, code = BAD[dropped]
    error = answered.error(name)
    assert error["code"] == code
    assert error["why"]
    assert error["what_to_do"]
    assert (answered.outbox / f"{name}.error.json").stat().st_mode & 0o7777 == 0o640
    assert not (answered.outbox / f"{name}.json").exists()
    job = answered.wait_for(os.fsdecode(dropped))
    assert job.status is Status.FAILED
    assert error["job"] == job.id
    assert os.path.lexists(answered.folder("quarantine", job) / "source")
    assert not os.path.lexists(answered.inbox / os.fsdecode(dropped))


def test_a_link_is_set_aside_and_what_it_leads_to_is_left_alone(answered: Traxd) -> None:
    assert (answered.folder("quarantine", answered.job("link.wav")) / "source").is_symlink()
    assert CONVERSATION.stat().st_size > 0


@pytest.mark.parametrize(("dropped", "name"), [("good\nname.wav", "good%0Aname"), (b"gut\xff.wav", "gut%FF")], ids=ascii)
def test_a_strange_name_is_no_reason_not_to_transcribe(traxd: Traxd, turn: Callable[..., Path], dropped: str, name: str) -> None:
    traxd.put(turn(0, variant=len(dropped)), dropped)
    assert traxd.wait_for(os.fsdecode(dropped)).status is Status.COMPLETED
    assert traxd.transcript(name)["segments"]


def test_two_recordings_of_one_stem_each_get_their_answer(traxd: Traxd, turn: Callable[..., Path], tmp_path: Path) -> None:
    flac = tmp_path / "talk.flac"
    with av.open(str(turn(0, variant=77))) as source, av.open(str(flac), "w") as target:
        stream = target.add_stream("flac", rate=16_000)
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    traxd.put(flac, "one stem.flac")
    traxd.put(turn(0, variant=78), "one stem.wav")
    jobs = [traxd.wait_for(f"one stem{extension}") for extension in (".flac", ".wav")]
    assert {job.status for job in jobs} == {Status.COMPLETED}
    assert {job.output_name for job in jobs} == {"one stem", "one stem (2)"}
    for job in jobs:
        assert traxd.transcript(job.output_name)["media"]["name"] == job.source_name


def test_what_is_not_there_to_be_transcribed_is_left_alone(answered: Traxd, tmp_path: Path) -> None:
    left = [".hidden.wav", "coming.wav.part", "~lock.wav", "copy.tmp", "@eaDir/thumb.wav"]
    (tmp_path / "empty").touch()
    for name in left:
        answered.put(tmp_path / "empty", name)
    answered.put(tmp_path / "empty", "last.wav")
    answered.wait_for("last.wav")
    assert all((answered.inbox / name).exists() for name in left)
    assert {job.source_name for job in answered.jobs()}.isdisjoint(left)


def test_an_answer_that_cannot_be_written_does_not_stop_the_daemon(traxd: Traxd, tmp_path: Path) -> None:
    (traxd.outbox / "blocked").write_text("a person's file where a folder has to be")
    (tmp_path / "empty").touch()
    traxd.put(tmp_path / "empty", "blocked/talk.wav")
    # its answer is owed, and so long it stays in work
    traxd.wait_until(lambda: [job.status for job in traxd.jobs_of("blocked/talk.wav")] == [Status.FAILED], PATIENCE)
    assert traxd.answers()
    assert (traxd.outbox / "blocked").read_text() == "a person's file where a folder has to be"


def test_a_file_that_may_not_be_read_is_answered(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "secret.wav").write_bytes(b"RIFF")
    (tmp_path / "inbox" / "secret.wav").chmod(0o000)
    with Traxd(tmp_path, QUICK, preexec=heed_modes) as traxd:
        assert traxd.wait_for("secret.wav").status is Status.FAILED
        assert traxd.error("secret")["code"] == "unreadable"
        assert "Permission denied" in traxd.error("secret")["why"]


def test_a_claimed_recording_that_is_out_of_reach_for_a_while_waits_and_costs_no_attempt(tmp_path: Path, turn: Callable[..., Path]) -> None:
    whole = turn(0, variant=8).read_bytes()
    with Traxd(tmp_path, WORDS, preexec=heed_modes) as traxd:
        (traxd.inbox / "late.wav").touch()
        job = traxd.wait_for("late.wav")  # nothing in it: answered
        with (traxd.folder("quarantine", job) / SOURCE_FILE).open("ab") as writer:
            traxd.ask("retry", jobs=[job.id])
            traxd.wait_for("late.wav", Status.CLAIMED)  # and so it stays: someone writes to it
            folder = traxd.folder("work", job)
            folder.chmod(0o000)
            try:
                writer.write(whole)
                writer.flush()
                traxd.wait_until(lambda: traxd.ask("show", job=job.id)["waits_for"] is not None, PATIENCE)
                view = traxd.ask("show", job=job.id)
            finally:
                folder.chmod(0o700)
        assert (view["status"], view["attempts"], view["error"]["code"]) == ("claimed", 0, "storage")
        assert "Permission denied" in view["waits_for"]
        assert view["not_before"] is not None
        done = traxd.wait_for("late.wav")
        assert (done.status, done.attempts, done.media_id) == (Status.COMPLETED, 1, hashlib.sha256(whole).hexdigest())
