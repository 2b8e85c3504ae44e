from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from trax.errors import DiskFull, StorageError
from trax.intake.inbox import Inbox, Untaken


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]))
    yield lines
    logger.remove(sink)


def test_what_cannot_be_taken_is_said_once_and_tried_again(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"sound")
    inbox = Inbox(tmp_path, quiet=5.0)
    for start in (0.0, 10.0, 20.0):
        assert not inbox.look(start)
        assert set(inbox.look(start + 5.0)) == {"talk.mp3"}
        inbox.refuse("talk.mp3", StorageError("Permission denied.", file="talk.mp3"))
    assert len(said) == 1
    assert inbox.untaken() == [Untaken("talk.mp3", "Permission denied.", "Check the disk; Trax tries again by itself.")]

    inbox.look(30.0)
    inbox.refuse("talk.mp3", DiskFull("No space left on device.", file="talk.mp3"))
    assert len(said) == 2

    (tmp_path / "talk.mp3").unlink()
    inbox.look(40.0)
    (tmp_path / "talk.mp3").write_bytes(b"sound")
    inbox.look(50.0)
    inbox.refuse("talk.mp3", DiskFull("No space left on device.", file="talk.mp3"))
    assert len(said) == 3
