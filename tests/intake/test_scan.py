from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from trax.intake.inbox import Inbox
from trax.intake.scan import DEEPEST, scan


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_everything_that_is_not_ignored_is_reported_and_no_link_followed(inbox: Path, tmp_path: Path) -> None:
    (inbox / "sub" / "deeper").mkdir(parents=True)
    (inbox / "empty").mkdir()
    (inbox / ".trax").mkdir()
    (inbox / "@eaDir").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp3").write_bytes(b"x")
    for name in ("talk.mp3", "sub/deeper/talk.wav", "notes.txt", "talk.mp3.part", ".trax/x.mp3", "@eaDir/x.mp3"):
        (inbox / name).write_bytes(b"sound")
    (Path(os.fsdecode(os.fsencode(inbox) + b"/caf\xe9\n.mp3"))).write_bytes(b"sound")
    (inbox / "link.mp3").symlink_to(outside / "secret.mp3")
    (inbox / "folderlink").symlink_to(outside)
    os.mkfifo(inbox / "pipe.mp3")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inbox / "socket.mp3"))
        found = scan(inbox)
    assert set(found.sightings) == {
        *("talk.mp3", "sub/deeper/talk.wav", "notes.txt", "caf\udce9\n.mp3", "link.mp3", "folderlink", "pipe.mp3", "socket.mp3"),
    }
    assert found.problems == {}
    assert stat.S_ISLNK(found.sightings["folderlink"].mode)
    assert not found.sightings["pipe.mp3"].is_regular
    assert (inbox / "empty").is_dir()


def test_depth_is_bounded_and_told(inbox: Path) -> None:
    deep = inbox.joinpath(*["d"] * (DEEPEST + 3))
    deep.mkdir(parents=True)
    (deep / "talk.mp3").write_bytes(b"x")
    found = scan(inbox)
    assert found.sightings == {}
    assert list(found.problems.values()) == [f"more than {DEEPEST} folders deep"]


def test_a_missing_inbox_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    assert scan(tmp_path / "nothing").problems == {"": "No such file or directory"}


def test_an_unreadable_folder_is_told_and_the_rest_found() -> None:
    inbox = Path(tempfile.mkdtemp(prefix="trax-inbox-"))  # `tmp_path` lies in a folder of its owner's
    inbox.chmod(0o755)
    (inbox / "closed").mkdir(mode=0)
    (inbox / "talk.mp3").write_bytes(b"x")
    before = os.geteuid()
    if before == 0:  # root may read everything
        os.seteuid(65534)
    try:
        found = scan(inbox)
    finally:
        os.seteuid(before)
        shutil.rmtree(inbox)
    assert set(found.sightings) == {"talk.mp3"}
    assert found.problems == {"closed": "Permission denied"}


def test_the_inbox_hands_out_what_rests(inbox: Path) -> None:
    box = Inbox(inbox, quiet=5.0)
    assert (box.look(0.0), box.next_look()) == ({}, None)
    (inbox / "talk.mp3").write_bytes(b"x")
    assert (box.look(1.0), box.next_look()) == ({}, 6.0)
    box.touch({"talk.mp3"})
    assert (box.look(6.0), box.next_look()) == ({}, 11.0)
    assert set(box.look(11.0)) == {"talk.mp3"}
    box.unsettle("talk.mp3")
    assert (box.look(12.0), box.next_look()) == ({}, 17.0)
    (inbox / "talk.mp3").unlink()
    assert (box.look(20.0), box.next_look()) == ({}, None)
