from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trax.config import Intake
from trax.errors import EmptyRecording, RecordingError, RecordingTooLarge, UnreadableRecording, UnsupportedRecording
from trax.intake.duplicates import has_earlier_result
from trax.intake.validate import is_as_validated, validate
from trax.jobs.folders import SOURCE_FILE
from trax.jobs.job import Job, Status

NOBODY = 65534
SETTINGS = Intake(max_size_mb=0.01)
SOUND = b"sound" * 1000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / SOURCE_FILE).write_bytes(SOUND)
    return tmp_path / SOURCE_FILE


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everyone reaches: `tmp_path` lies in one of its owner's."""
    folder = Path(tempfile.mkdtemp(prefix="trax-open-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so for the block it is somebody else; anyone else stays who they are."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def made(**fields: object) -> Job:
    job = Job("id", "talk.mp3", "talk", (), {}, "h", created=1.0, changed=1.0, media_id="ab", status=Status.COMPLETED)
    return dataclasses.replace(job, **fields)


def test_a_recording_is_hashed(source: Path) -> None:
    valid = validate(source, "sub/talk.MP3", SETTINGS)
    assert valid is not None
    assert (valid.size, valid.media_id) == (len(SOUND), hashlib.sha256(SOUND).hexdigest())
    job = made(size=valid.size, modified=valid.modified)
    assert is_as_validated(source.parent, job)
    with source.open("ab") as writer:
        writer.write(b"more")
    assert not is_as_validated(source.parent, job)


@pytest.mark.parametrize("size", [0, 10_001])
def test_size(source: Path, size: int) -> None:
    os.truncate(source, size)
    with pytest.raises(EmptyRecording if size == 0 else RecordingTooLarge):
        validate(source, "talk.mp3", SETTINGS)
    os.truncate(source, 10_000)
    assert validate(source, "talk.mp3", SETTINGS) is not None


def test_a_file_over_the_default_limit_costs_no_reading(source: Path) -> None:
    os.truncate(source, 501_000_000)
    with pytest.raises(RecordingTooLarge, match=r"501\.0 MB"):
        validate(source, "talk.mp3", Intake())


@pytest.mark.parametrize("name", ["notes.txt", "README", "talk.mp3\n", "talk.flac"])
def test_extension(source: Path, name: str) -> None:
    with pytest.raises(UnsupportedRecording) as caught:
        validate(source, name, Intake(formats=(".mp3",)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "words"), [("link", "symbolic link"), ("pipe", "pipe"), ("folder", "folder"), ("socket", "socket"), ("gone", "not where")]
)
def test_what_is_no_file(source: Path, tmp_path: Path, kind: str, words: str) -> None:
    (tmp_path / "secret").write_bytes(SOUND)
    source.unlink()
    if kind == "link":
        source.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(source)
    elif kind == "folder":
        source.mkdir()
    elif kind == "socket":
        os.mknod(source, 0o140644)
    with pytest.raises(UnreadableRecording, match=words):
        validate(source, "talk.mp3", SETTINGS)


def test_hard_links(source: Path, tmp_path: Path) -> None:
    os.link(source, tmp_path / "other")
    with pytest.raises(UnreadableRecording, match="hard links"):
        validate(source, "talk.mp3", SETTINGS)


def test_unreadable(open_folder: Path) -> None:
    (open_folder / SOURCE_FILE).write_bytes(SOUND)
    (open_folder / SOURCE_FILE).chmod(0)
    with as_nobody(), pytest.raises(UnreadableRecording, match="Permission denied"):
        validate(open_folder / SOURCE_FILE, "talk.mp3", SETTINGS)


def test_what_is_still_written_to_is_not_judged(source: Path) -> None:
    with source.open("ab"):
        assert validate(source, "talk.mp3", SETTINGS) is None
    assert validate(source, "talk.mp3", SETTINGS) is not None


def test_errors_are_final_and_give_advice(source: Path) -> None:
    os.truncate(source, 0)
    with pytest.raises(RecordingError) as caught:
        validate(source, "caf\udce9\u202e.mp3", SETTINGS)
    assert caught.value.permanent
    assert caught.value.file == "caf\\xe9\\u202e.mp3"
    assert caught.value.advice


def test_a_duplicate_is_answered_with_the_earlier_result() -> None:
    job, earlier = made(id="new", status=Status.CLAIMED), made(id="old")
    assert has_earlier_result(job, earlier, is_kept=True)


@pytest.mark.parametrize(
    ("earlier", "is_kept"),
    [
        (None, True),
        (made(id="old"), False),
        (made(id="old", status=Status.FAILED), True),
        (made(id="old", status=Status.RUNNING), True),
        (made(id="old", media_id="other"), True),
        (made(id="new"), True),
    ],
)
def test_else_it_gets_a_run_of_its_own(earlier: Job | None, is_kept: bool) -> None:  # noqa: FBT001 - pytest passes by name
    assert not has_earlier_result(made(id="new", status=Status.CLAIMED), earlier, is_kept=is_kept)
