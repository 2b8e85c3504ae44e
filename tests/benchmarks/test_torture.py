"""The torture's own eyes: what is wrong in an outbox or under a root is seen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from attacks.aftermath import examine
from attacks.torture import wrong_with

from trax.jobs.folders import SOURCE_FILE, StateFolders, write_job
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def answer(outbox: Path, name: str, recording: bytes) -> Path:
    """A transcript in the outbox, as far as it is looked at."""
    outbox.mkdir(exist_ok=True)
    for ending in ("srt", "vtt"):
        (outbox / f"{name}.{ending}").write_bytes(b"1")
    path = outbox / f"{name}.json"
    path.write_text(json.dumps({"checksums": {"srt": sha256(b"1"), "vtt": sha256(b"1")}, "media": {"sha256": sha256(recording)}}))
    return path


def test_an_answer_that_is_not_whole_is_seen(tmp_path: Path) -> None:
    path = answer(tmp_path / "outbox", "talk", b"a")
    assert wrong_with(path) == []
    path.with_suffix(".srt").write_bytes(b"")
    path.with_suffix(".vtt").unlink()
    assert wrong_with(path) == ["talk.json is there without talk.vtt.", "talk.srt is not what its JSON says."]
    path.write_bytes(path.read_bytes()[:-1])
    assert "talk.json is not whole" in wrong_with(path)[0]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        wrong_with(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root at rest: one recording, answered."""
    folders = StateFolders(tmp_path / "state")
    folders.make()
    (tmp_path / "inbox").mkdir()
    answer(tmp_path / "outbox", "talk", b"a")
    done = Job(
        "20260101-000000-abcdef", "talk.wav", "talk", (), {}, "h", 1.0, 1.0, Status.COMPLETED, media_id=sha256(b"a"), finished=1.0
    )  # fmt: skip
    (folders.archive / done.id).mkdir()
    (folders.archive / done.id / SOURCE_FILE).write_bytes(b"a")
    write_job(folders.archive / done.id, done)
    Ledger(folders.ledger).put(done)
    return tmp_path


def test_all_in_order_is_found_in_order(root: Path) -> None:
    found = examine(root, {sha256(b"a"): "talk"})
    assert (found.transcripts, found.errors, found.violations) == (1, 0, ())


def test_what_was_lost_doubled_changed_or_left_is_seen(root: Path) -> None:
    answer(root / "outbox", "talk (2)", b"a")
    (root / "state/archive/20260101-000000-abcdef" / SOURCE_FILE).write_bytes(b"half")
    for left in ("inbox/other.wav", "state/work/.trax-0.tmp", "outbox/.trax-1.tmp"):
        (root / left).touch()
    found = examine(root, {sha256(b"a"): "talk", sha256(b"b"): "other"}).violations
    assert list(found) == [
        "talk is answered 2 times: talk (2).json, talk.json.",
        "other has no answer.",
        "other has 0 jobs.",
        "The recording of job 20260101-000000-abcdef (talk.wav) is not what was dropped.",
        "inbox/other.wav was left behind.",
        "outbox/.trax-1.tmp was left behind.",
        "state/work/.trax-0.tmp was left behind.",
    ]
